//! Tables on the server that speaks the protocol of MongoDB, which `tools/services` started.

use super::variable;
use std::path::PathBuf;
use uuid::Uuid;

/// The address of the server.
pub(crate) fn uri() -> String {
    variable("HOOKLOG_TEST_MONGODB")
}

/// The section of the configuration for a database of its own on the server at `uri`.
pub(crate) fn section(uri: &str) -> String {
    let folder = PathBuf::from(variable("HOOKLOG_TEST_MONGODB_FILES"));
    let (ca, password) = (folder.join("ca.pem"), folder.join("password"));
    let database = Uuid::now_v7().simple();
    format!(
        "[project]\nstore = \"mongodb\"\n[project.mongodb]\nuri = \"{uri}\"\n\
         database = \"it_{database}\"\nusername = \"hooklog\"\nca_file = {ca:?}\n\
         password_file = {password:?}\nconnect_timeout_ms = 1000\n"
    )
}
