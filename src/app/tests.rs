//! What must hold of the tree.

use std::path::{Path, PathBuf};

/// How code speaks of a back end of the log or of the tables, or of a transport.
const BACK_ENDS: &[&str] = &[
    "embedded::",
    "EmbeddedLog",
    "memory::",
    "MemoryLog",
    "stores::",
    "sqlite::",
    "Sqlite",
    "mongodb::",
    "MongodbStore",
    "MongodbTables",
    "postgres::",
    "PostgresStore",
    "PostgresTables",
    "https::",
    "kafka::",
    "KafkaLog",
    "AmqpIntake",
    "EventHubsIntake",
    "RedisIntake",
    "SqsIntake",
    "MemoryIntake",
    "MemoryQueue",
    "object_store::",
];

/// Where they may be named: in their own files, in `config` and in `app`.
const MAY: &[&str] = &[
    "app",
    "config",
    "log/embedded",
    "log/kafka",
    "log/memory",
    "intake/amqp",
    "intake/eventhubs",
    "intake/memory",
    "intake/objects",
    "intake/redis",
    "intake/sqs",
    "project/stores",
    "deliver/https",
];

#[test]
fn a_back_end_is_named_in_its_own_file_in_config_and_in_app_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut named = Vec::new();
    for path in files(&src) {
        let place = path.strip_prefix(&src).unwrap().to_str().unwrap();
        let test = place.split('/').any(|part| part.starts_with("tests"));
        if test || MAY.iter().any(|may| place.starts_with(may)) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code.filter(|line| BACK_ENDS.iter().any(|name| line.contains(name))) {
            named.push(format!("{place}: {}", line.trim()));
        }
    }
    assert_eq!(named, [""; 0]);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
