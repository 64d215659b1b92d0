//! The console beside the API, as the configuration says.

use crate::harness::{configuration, process, write_configuration};
use hooklog::app;

/// What the API listener of a server with `key` in its configuration answers at each path.
async fn answers<const N: usize>(key: &str, paths: [&str; N]) -> [u16; N] {
    let folder = tempfile::tempdir().unwrap();
    write_configuration(&folder, key);
    let loaded = configuration(&folder);
    let running = app::start(&loaded, Some("a-token-of-16-signs".to_owned()))
        .await
        .unwrap();
    let api = running.api;
    let client = process::client();
    let mut found = [0; N];
    let asking = async {
        for (status, path) in found.iter_mut().zip(paths) {
            let answer = client.get(format!("http://{api}{path}")).send().await;
            *status = answer.unwrap().status().as_u16();
        }
    };
    running.until(asking).await.unwrap();
    found
}

#[tokio::test]
async fn the_console_is_beside_the_api_unless_it_is_switched_off() {
    let paths = ["/", "/console/deliveries", "/healthz", "/api/v1/status"];
    assert_eq!(answers("", paths).await, [200, 200, 200, 401]);
    let off = answers("console = false\n", paths).await;
    assert_eq!(off, [404, 404, 200, 401]);
}
