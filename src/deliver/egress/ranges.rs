//! Addresses that are not the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Private, loopback, link-local, documentation, multicast and reserved networks of IPv4.
const SPECIAL_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Likewise of IPv6, with those that embed an IPv4 address (mapped ones are unwrapped before).
const SPECIAL_V6: [([u16; 8], u32); 13] = [
    ([0, 0, 0, 0, 0, 0, 0, 0], 96),
    ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
];

/// The addresses under which clouds hand out credentials.
pub(super) fn is_metadata(address: IpAddr) -> bool {
    address == IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254))
        || address == IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254))
}

/// Whether an address (canonical: not IPv4 mapped into IPv6) is in one of the networks above.
pub(super) fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => SPECIAL_V4.iter().any(|(net, bits)| {
            let shift = 32 - bits;
            v4.to_bits() >> shift == Ipv4Addr::from(*net).to_bits() >> shift
        }),
        IpAddr::V6(v6) => SPECIAL_V6.iter().any(|(net, bits)| {
            let shift = 128 - bits;
            v6.to_bits() >> shift == Ipv6Addr::from(*net).to_bits() >> shift
        }),
    }
}
