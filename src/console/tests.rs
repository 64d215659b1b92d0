//! What a browser is given, and what it is told about it.

use super::*;
use axum::http::{Method, Request};
use std::collections::BTreeSet;
use std::path::Path;
use tower::ServiceExt as _;

async fn ask(method: Method, path: &str, tag: Option<&str>) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(tag) = tag {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    (parts.status, parts.headers, text)
}

async fn get_ok(path: &str) -> (HeaderMap, String) {
    let (status, headers, text) = ask(Method::GET, path, None).await;
    assert_eq!(status, StatusCode::OK, "{path}");
    (headers, text)
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_a_page_from_harm() {
    for path in [
        "/",
        "/console/",
        "/console/assets/main.js",
        "/console/assets/none.js",
        "/console/none",
    ] {
        let (_, headers, _) = ask(Method::GET, path, None).await;
        assert_eq!(headers["content-security-policy"], CONTENT_SECURITY_POLICY);
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(headers["cache-control"], "no-cache", "{path}");
    }
}

#[tokio::test]
async fn the_root_leads_to_the_console() {
    for path in ["/", "/console"] {
        let (status, headers, _) = ask(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(headers["location"], "/console/");
    }
}

#[tokio::test]
async fn a_link_to_any_page_can_be_opened() {
    let (_, page) = get_ok("/console/").await;
    for path in [
        "/console/webhooks",
        "/console/webhooks/a-guid",
        "/console/deliveries/",
        "/console/deliveries/an-id?as_of=@before",
        "/console/subscriptions/%3Cimg%3E",
        "/console/dead-letters",
        "/console/system",
        "/console/changes/",
    ] {
        let (headers, text) = get_ok(path).await;
        assert_eq!(text, page);
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    }
}

#[tokio::test]
async fn what_is_no_page_and_no_file_is_404() {
    for path in [
        "/console/none",
        "/console/system/x",
        "/console/webhooks//",
        "/console/webhooks/a/b",
        "/console/assets/none.js",
        "/console/assets/../console.rs",
        "/console/assets/%2e%2e/files.rs",
    ] {
        let (status, _, _) = ask(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_browser_that_has_a_file_is_not_sent_it_again() {
    for path in ["/console/", "/console/assets/main.js"] {
        let (headers, _) = get_ok(path).await;
        let tag = headers["etag"].to_str().unwrap();
        for known in [tag, &format!("\"other\", W/{tag}"), "*"] {
            let (status, headers, text) = ask(Method::GET, path, Some(known)).await;
            assert_eq!((status, text.as_str()), (StatusCode::NOT_MODIFIED, ""));
            assert_eq!(headers["etag"], tag);
        }
        let (status, _, text) = ask(Method::GET, path, Some("\"other\"")).await;
        assert!(status == StatusCode::OK && !text.is_empty());
    }
}

#[tokio::test]
async fn a_head_says_the_same_without_the_file_and_nothing_else_is_allowed() {
    let path = "/console/assets/style.css";
    let (headers, text) = get_ok(path).await;
    let (status, head, nothing) = ask(Method::HEAD, path, None).await;
    assert_eq!((status, nothing.as_str()), (StatusCode::OK, ""));
    assert_eq!(head["etag"], headers["etag"]);
    assert_eq!(head["content-length"], text.len().to_string().as_str());
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let (status, _, _) = ask(method, path, None).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn a_console_that_is_switched_off_is_not_there() {
    for (is_on, expected) in [(true, StatusCode::OK), (false, StatusCode::NOT_FOUND)] {
        let app = beside(Router::new(), is_on);
        let request = Request::builder().uri("/console/").body(Body::empty());
        let response = app.oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), expected);
    }
}

#[test]
fn every_file_of_the_folder_is_served() {
    fn names(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                names(&path, root, found);
            } else {
                let name = path.strip_prefix(root).unwrap();
                found.insert(name.to_str().unwrap().to_owned());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console/assets");
    let mut there = BTreeSet::new();
    names(&root, &root, &mut there);
    let served: BTreeSet<_> = FILES.iter().map(|file| file.name.to_owned()).collect();
    assert_eq!(served, there);
}

#[test]
fn every_page_has_its_route_in_the_browser_too() {
    let main = text("main.js");
    for leaf in LEAVES {
        assert!(main.contains(&format!("[\"{leaf}\", ")), "{leaf}");
    }
    for list in LISTS {
        assert!(main.contains(&format!("[\"{list}\", ")), "{list}");
        assert!(main.contains(&format!("[\"{list}/:")), "{list}");
    }
    assert_eq!(
        main.matches("\n  [\"").count(),
        LEAVES.len() + 2 * LISTS.len()
    );
}

fn text(name: &str) -> &'static str {
    let file = FILES.iter().find(|file| file.name == name).unwrap();
    std::str::from_utf8(file.bytes).unwrap()
}

#[test]
fn no_file_refers_to_anything_outside() {
    // Namespaces are names, which no browser fetches.
    let namespaces = ["http://www.w3.org/2000/svg"];
    for file in FILES {
        let mut text = text(file.name).to_owned();
        for namespace in namespaces {
            text = text.replace(namespace, "");
        }
        for outside in ["http://", "https://", "//cdn", "@import", "url("] {
            let is_example = outside == "https://" && text.contains("--to https://…");
            assert!(
                !text.contains(outside) || is_example,
                "{}: {outside}",
                file.name
            );
        }
    }
}

#[test]
fn no_file_makes_markup_or_code_of_text() {
    for file in FILES {
        let text = text(file.name);
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "localStorage",
            "document.cookie",
            " style=",
        ] {
            assert!(!text.contains(forbidden), "{}: {forbidden}", file.name);
        }
    }
    let page = text(PAGE);
    assert_eq!(
        page.matches("<script").count(),
        page.matches("<script type=\"module\" src=").count()
    );
}
