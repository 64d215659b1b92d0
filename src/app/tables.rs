//! The tables that the configuration names.

use hooklog_schemas::EventId;

/// What others are told of this process when it writes the tables: where it is, and who it is for
/// certain.
pub(super) fn writer(process: EventId) -> String {
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    format!("{machine} (process {}, {process})", std::process::id())
}
