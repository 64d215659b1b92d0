//! What a receiver does to a body before the append: verify its signature, then parse its facts.
//!
//! Both are compared with the least that could be done: one SHA-256 over the same bytes, and one
//! complete parse into a `serde_json::Value`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit as _, Mac as _};
use hooklog::receive::{Claim, Verifier, extract};
use hooklog::secret::Secret;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::hint::black_box;

const SECRET: &[u8] = b"It's a Secret to Everybody";

/// A push of about 12 kB, the mean size of GitHub's bodies.
fn body() -> Vec<u8> {
    let commit = |n: u32| {
        json!({
            "id": format!("{n:040x}"), "message": "Fix the rounding of invoices\n\nIt was off by one.",
            "author": {"name": "Ann", "email": "ann@acme.example", "username": "ann"},
            "added": [], "removed": [], "modified": [format!("src/invoice/{n}.rs")],
        })
    };
    let commits: Vec<Value> = (0..45).map(commit).collect();
    let body = json!({
        "ref": "refs/heads/main", "commits": commits,
        "repository": {"id": 186_853_002, "full_name": "acme/payments",
                       "url": "https://github.com/acme/payments",
                       "owner": {"login": "acme", "id": 7, "type": "Organization"}},
        "sender": {"id": 9, "login": "ann"},
    });
    body.to_string().into_bytes()
}

fn claim(body: &[u8]) -> Claim {
    Claim {
        guid: "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
        event: "push".to_owned(),
        host: "github.com".to_owned(),
        hook_id: Some("1".to_owned()),
        body_bytes: body.len() as u64,
        form: false,
    }
}

fn verify_and_parse(criterion: &mut Criterion) {
    let body = body();
    let verifier = Verifier::new(&Secret::new(SECRET.to_vec()));
    let mac = Hmac::<Sha256>::new_from_slice(SECRET).map(|mac| mac.chain_update(&body));
    let digest: Option<[u8; 32]> = mac.ok().map(|mac| mac.finalize().into_bytes().into());
    let mut group = criterion.benchmark_group("receive 12 kB");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("verify", |bencher| {
        bencher.iter(|| {
            let pair = verifier.as_ref().zip(digest.as_ref());
            black_box(pair.is_some_and(|(verifier, digest)| verifier.verifies(&body, digest)))
        });
    });
    group.bench_function("sha256 alone", |bencher| {
        bencher.iter(|| black_box(Sha256::digest(&body)));
    });
    group.bench_function("facts", |bencher| {
        bencher.iter(|| black_box(extract(claim(&body), Some(&body))));
    });
    group.bench_function("complete parse", |bencher| {
        bencher.iter(|| black_box(serde_json::from_slice::<Value>(&body)));
    });
    group.finish();
}

criterion_group!(benches, verify_and_parse);
criterion_main!(benches);
