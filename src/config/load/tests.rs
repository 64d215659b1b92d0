//! What the operator may write, and what an error tells.

use super::*;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hooklog.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn from(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Loaded, ConfigError> {
    let (_dir, path) = file(text);
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    load(Sources {
        file: Some(path),
        environment: owned(environment),
        flags: owned(flags),
    })
}

fn error(text: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    from(text, environment, flags).unwrap_err().to_string()
}

#[test]
fn nothing_given_is_the_default() {
    let loaded = load(Sources::<Vec<_>>::default()).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(
        loaded
            .origins
            .values()
            .all(|origin| *origin == Origin::Default)
    );
    assert!(loaded.origins.contains_key("key_file"));
}

#[test]
fn the_later_source_wins_and_is_the_origin() {
    let text = "listen = '127.0.0.1:1'\n[receive]\nbody_bytes_max = 1\n";
    let variable = ("HOOKLOG_RECEIVE__BODY_BYTES_MAX", "2");
    let flag = ("receive.body_bytes_max", "3");
    let body = |loaded: &Loaded| {
        let origin = loaded.origins["receive.body_bytes_max"].clone();
        (loaded.config.receive.body_bytes_max, origin)
    };
    let (bytes, origin) = body(&from(text, &[], &[]).unwrap());
    assert!(bytes == 1 && matches!(origin, Origin::File(_, 3)));
    let (bytes, origin) = body(&from(text, &[variable], &[]).unwrap());
    assert_eq!(
        (bytes, origin),
        (2, Origin::Environment(variable.0.to_owned()))
    );
    let (bytes, origin) = body(&from(text, &[variable], &[flag]).unwrap());
    assert_eq!(
        (bytes, origin),
        (3, Origin::Flag("--receive.body-bytes-max".to_owned()))
    );
}

#[test]
fn every_type_can_come_from_the_environment() {
    let loaded = from(
        "",
        &[
            ("HOOKLOG_DATA", "12"),
            ("HOOKLOG_KEY_FILE", "/etc/hooklog.key"),
            ("HOOKLOG_CONSOLE", "false"),
            ("HOOKLOG_API_LISTEN", "[::1]:9000"),
            ("HOOKLOG_DELIVER__ALLOW", "127.0.0.0/8, ::1/128"),
            ("HOOKLOG_DELIVER__PORTS", "[443, 9443]"),
            ("HOOKLOG_RECEIVE__TRUSTED_PROXIES", "10.0.0.0/8"),
            ("HOOKLOG_RECEIVE__PROXY_PROTOCOL", "true"),
            ("HOOKLOG_TOKEN", "not configuration"),
            ("HOOKLOG_TEST_KAFKA", "not configuration"),
            ("PATH", "/bin"),
        ],
        &[],
    );
    let config = loaded.unwrap().config;
    assert_eq!(config.data, PathBuf::from("12"));
    assert_eq!(config.key_file, Some(PathBuf::from("/etc/hooklog.key")));
    assert_eq!(config.api_listen.port(), 9000);
    assert!(!config.console);
    assert_eq!(config.deliver.allow.len(), 2);
    assert_eq!(config.deliver.ports, [443, 9443]);
    assert!(config.receive.proxy_protocol);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_key() {
    for (text, line, key, nearest) in [
        ("\n\nlisen = 'x'", "hooklog.toml:3:", "`lisen`", "`listen`"),
        ("consol = false", "hooklog.toml:1:", "`consol`", "`console`"),
        (
            "[receive]\nbody_byte_max = 1",
            "hooklog.toml:2:",
            "`receive.body_byte_max`",
            "`receive.body_bytes_max`",
        ),
        (
            "partitions = 3",
            "hooklog.toml:1:",
            "`partitions`",
            "`log.partitions`",
        ),
        (
            "[recieve]\nbody_bytes_max = 1",
            "hooklog.toml:1:",
            "`recieve`",
            "`receive`",
        ),
    ] {
        let error = error(text, &[], &[]);
        for part in [line, key, nearest] {
            assert!(error.contains(part), "{text:?}: {error} lacks {part}");
        }
    }
    let far = error("foo = 1", &[], &[]);
    assert!(
        far.contains("`hooklog config show`") && !far.contains("did you"),
        "{far}"
    );
    let typo = error("", &[("HOOKLOG_LISTN", "x")], &[]);
    assert!(
        typo.contains("HOOKLOG_LISTN: ") && typo.contains("`listen`"),
        "{typo}"
    );
}

#[test]
fn a_wrong_value_is_refused_with_its_place_key_and_value() {
    for (text, parts) in [
        (
            "[log]\npartitions = 'many'",
            ["hooklog.toml:2:", "`log.partitions`", "many"],
        ),
        (
            "[log]\npartitions = 0",
            ["hooklog.toml:2:", "`0`", "from 1 to 1024"],
        ),
        ("[log]\npartitions = -1", ["hooklog.toml:2:", "`-1`", "u32"]),
        (
            "[log]\npartitions = 1025",
            ["`log.partitions`", "`1025`", "from 1 to 1024"],
        ),
        ("listen = 'here'", ["hooklog.toml:1:", "`here`", "address"]),
        (
            "listen = '127.0.0.1:8081'",
            ["`api_listen`", "127.0.0.1:8081", "a listener each"],
        ),
        ("log = 5", ["hooklog.toml:1:", "`log`", "section"]),
        ("data = ''", ["hooklog.toml:1:", "`data`", "folder"]),
        (
            "[deliver]\nallow = ['10/8/1']",
            ["hooklog.toml:2:", "10/8/1", "deliver.allow"],
        ),
        (
            "[deliver]\nin_flight_max = 0",
            ["`0`", "deliver.in_flight_max", "from 1"],
        ),
        (
            "[receive]\nproxy_protocol = true",
            ["proxy_protocol", "trusted_proxies", "`true`"],
        ),
        (
            "[receive]\ntrusted_proxies = ['0.0.0.0/0']",
            ["0.0.0.0/0", "any address", ":2:"],
        ),
        ("data = ", ["hooklog.toml:1:", "not TOML", ":"]),
    ] {
        let error = error(text, &[], &[]);
        for part in parts {
            assert!(error.contains(part), "{text:?}: {error} lacks {part}");
        }
    }
    let number = error("", &[("HOOKLOG_LOG__PARTITIONS", "a")], &[]);
    assert!(
        number.starts_with("HOOKLOG_LOG__PARTITIONS: `log.partitions` cannot be `a`"),
        "{number}"
    );
    let flag = error("", &[], &[("listen", "8080")]);
    assert!(
        flag.starts_with("--listen: `listen` cannot be `8080`"),
        "{flag}"
    );
}

#[test]
fn a_section_within_a_section_is_read_from_file_and_environment() {
    let text = "[log.kafka]\ntopic_prefix = 'it.'\n[log]\npartitions = 3\n";
    let brokers = ("HOOKLOG_LOG__KAFKA__BROKERS", "a:1, b:2");
    let config = from(text, &[brokers], &[]).unwrap().config.log;
    assert_eq!(
        (config.partitions, config.kafka.topic_prefix),
        (3, "it.".into())
    );
    assert_eq!(config.kafka.brokers, ["a:1", "b:2"]);
    let typo = error("[log.kafka]\nbroker = ['a:1']", &[], &[]);
    for part in [
        "hooklog.toml:2:",
        "`log.kafka.broker`",
        "`log.kafka.brokers`",
    ] {
        assert!(typo.contains(part), "{typo}");
    }
    let section = error("[log]\nkafka = 5", &[], &[]);
    assert!(section.contains("[log.kafka]"), "{section}");
}

#[cfg(not(feature = "log-kafka"))]
#[test]
fn a_back_end_that_was_not_built_is_refused_with_the_feature_that_builds_it() {
    let told = error("[log]\nkind = 'kafka'", &[], &[]);
    for part in ["hooklog.toml:2:", "`log.kind`", "--features log-kafka"] {
        assert!(told.contains(part), "{told}");
    }
}

#[cfg(feature = "log-kafka")]
#[test]
fn what_does_not_fit_together_for_kafka_is_refused() {
    let kafka = |more: &str| format!("[log]\nkind = 'kafka'\n[log.kafka]\n{more}");
    let with = |more: &str| kafka(&format!("brokers = ['a:1']\n{more}"));
    for (text, parts) in [
        (
            kafka(""),
            ["`log.kafka.brokers`", "kafka-1.acme.example:9092"],
        ),
        (
            kafka("brokers = ['a']"),
            ["`log.kafka.brokers`", "a host and a port"],
        ),
        (
            with("topic_prefix = 'a/b'"),
            ["`log.kafka.topic_prefix`", "letters"],
        ),
        (
            with("min_insync_replicas = 4"),
            ["`log.kafka.min_insync_replicas`", "copies"],
        ),
        (
            with("cert_file = 'c.pem'"),
            ["`log.kafka.cert_file`", "go together"],
        ),
        (
            with("username = 'ann'"),
            ["`log.kafka.username`", "sasl_ssl"],
        ),
        (
            with("security = 'sasl_ssl'"),
            ["`log.kafka.username`", "need a user"],
        ),
        (
            with("security = 'sasl_ssl'\nusername = 'ann'"),
            ["`log.kafka.password_file`", "the path of its file"],
        ),
        (
            with("security = 'sasl_ssl'\nsasl_mechanism = 'OAUTHBEARER'"),
            ["`log.kafka.token_file`", "a token"],
        ),
        (with("security = 'tls'"), ["`log.kafka.security`", "tls"]),
        (
            with("sasl_mechanism = 'plain'"),
            ["`log.kafka.sasl_mechanism`", "PLAIN"],
        ),
        (
            with("password = 'canary'"),
            ["`log.kafka.password`", "`log.kafka.password_file`"],
        ),
    ] {
        let error = error(&text, &[], &[]);
        for part in parts {
            assert!(error.contains(part), "{text:?}: {error} lacks {part}");
        }
    }
    assert!(from(&with(""), &[], &[]).is_ok());
}

#[test]
fn a_file_that_is_named_must_exist() {
    let sources = Sources {
        file: Some(PathBuf::from("/nowhere.toml")),
        ..Sources::<Vec<_>>::default()
    };
    let error = load(sources).unwrap_err().to_string();
    assert!(error.contains("/nowhere.toml cannot be read"), "{error}");
}

#[test]
fn a_reserve_that_holds_no_segment_is_refused_since_an_erasure_needs_that_room() {
    let text = "[log]\nsegment_bytes = 1048576\nreserve_bytes = 1048575";
    let refused = from(text, &[], &[]).unwrap_err().to_string();
    assert!(
        refused.contains("log.reserve_bytes") && refused.contains("log.segment_bytes"),
        "{refused}"
    );
    assert!(from(&text.replace("1048575", "1048576"), &[], &[]).is_ok());
}

#[test]
fn a_network_that_is_none_is_told_how_one_is_written() {
    for text in [
        "[deliver]\nallow = ['10.0.0.1-9']",
        "[receive]\ntrusted_proxies = ['x']",
    ] {
        let error = error(text, &[], &[]);
        assert!(error.contains("CIDR form, such as 10.0.0.0/8"), "{error}");
    }
}

#[test]
fn a_spool_needs_the_operator_s_word_that_its_folder_outlives_the_process() {
    let folder = "[spool]\nfolder = '/var/spool/hooklog'\n";
    let said = error(folder, &[], &[]);
    assert!(said.contains("spool.persistent = true"), "{said}");
    let said = error("[spool]\npersistent = true\n", &[], &[]);
    assert!(said.contains("name the folder"), "{said}");
    let whole = format!("{folder}persistent = true\n");
    let loaded = from(&whole, &[], &[]).unwrap();
    assert_eq!(
        loaded.config.spool.folder,
        Some("/var/spool/hooklog".into())
    );
    let late = format!("{whole}inlet_deadline_ms = 8000\n");
    assert!(error(&late, &[], &[]).contains("receive.append_deadline_ms"));
}

#[test]
#[cfg(feature = "store-postgres")]
fn tables_on_postgresql_need_an_address_without_a_password() {
    let with = |text: &str| format!("[project]\nstore = 'postgres'\n[project.postgres]\n{text}");
    let url = "url = 'postgres://hooklog@db.acme.example/hooklog'\n";
    for (text, parts) in [
        (
            with(""),
            ["`project.postgres.url`", "USER@HOST:PORT/DATABASE"],
        ),
        (
            with("url = 'postgres://hooklog:canary@db/hooklog'"),
            ["`project.postgres.url`", "`password_file`"],
        ),
        (
            with("url = 'postgres://hooklog@db/hooklog?sslmode=disable'"),
            ["`project.postgres.url`", "`sslmode`"],
        ),
        (
            with("url = 'postgres://db'"),
            ["`project.postgres.url`", "USER@HOST:PORT/DATABASE"],
        ),
        (
            with(&format!("{url}read_url = 'https://db/hooklog'")),
            ["`project.postgres.read_url`", "USER@HOST:PORT/DATABASE"],
        ),
        (
            with(&format!("{url}schema = 'Hook-Log'")),
            ["`project.postgres.schema`", "lower-case"],
        ),
        (
            with(&format!("{url}cert_file = 'a'")),
            ["`project.postgres.cert_file`", "`key_file`"],
        ),
        (
            with(&format!("{url}sslmode = 'prefer'")),
            ["`project.postgres.sslmode`", "verify-full"],
        ),
        (
            with(&format!("{url}password = 'canary'")),
            [
                "`project.postgres.password`",
                "`project.postgres.password_file`",
            ],
        ),
        (
            "[project]\nlease_ms = 10\n".to_owned(),
            ["`project.lease_ms`", "from 1000"],
        ),
    ] {
        let error = error(&text, &[], &[]);
        for part in parts {
            assert!(error.contains(part), "{text:?}: {error} lacks {part}");
        }
    }
    let loaded = from(&with(url), &[], &[]).unwrap();
    assert_eq!(
        loaded.config.project.postgres.sslmode,
        crate::config::SslMode::VerifyFull
    );
}

#[test]
#[cfg(feature = "store-mongodb")]
fn tables_on_mongodb_need_servers_and_no_password_among_them() {
    let with = |text: &str| format!("[project]\nstore = 'mongodb'\n[project.mongodb]\n{text}");
    let uri = "uri = 'mongodb://db-1.acme.example:27017,db-2/?replicaSet=rs0'\n";
    for (text, parts) in [
        (with(""), ["`project.mongodb.uri`", "mongodb://HOST:PORT"]),
        (
            with("uri = 'mongodb://hooklog:canary@db'"),
            ["`project.mongodb.uri`", "`password_file`"],
        ),
        (
            with("uri = 'mongodb://db/?tls=false'"),
            ["`project.mongodb.uri`", "`tls`"],
        ),
        (
            with("uri = 'mongodb://db/hooklog'"),
            ["`project.mongodb.uri`", "`database`"],
        ),
        (
            with("uri = 'mongodb+srv://cluster.acme.example'"),
            ["`project.mongodb.uri`", "SRV records"],
        ),
        (
            with("uri = 'mongodb://db-1,,db-2'"),
            ["`project.mongodb.uri`", "mongodb://HOST:PORT"],
        ),
        (
            with(&format!("{uri}username = 'hooklog'")),
            ["`project.mongodb.username`", "`password_file`"],
        ),
        (
            with(&format!("{uri}database = 'hook.log'")),
            ["`project.mongodb.database`", "letters"],
        ),
        (
            with(&format!("{uri}tls = false\nca_file = 'ca.pem'")),
            ["`project.mongodb.ca_file`", "`tls` is off"],
        ),
        (
            with(&format!("{uri}password = 'canary'")),
            [
                "`project.mongodb.password`",
                "`project.mongodb.password_file`",
            ],
        ),
        (
            with(&format!("{uri}[project.own]\nfolder = 'projections'")),
            ["`project.own.folder`", "they are SQL"],
        ),
    ] {
        let error = error(&text, &[], &[]);
        for part in parts {
            assert!(error.contains(part), "{text:?}: {error} lacks {part}");
        }
    }
    assert!(
        from(&with(uri), &[], &[])
            .unwrap()
            .config
            .project
            .mongodb
            .tls
    );
}

#[test]
#[cfg(not(feature = "store-postgres"))]
fn a_store_that_is_not_built_in_says_how_it_would_be() {
    let error = error("[project]\nstore = 'postgres'", &[], &[]);
    assert!(error.contains("--features store-postgres"), "{error}");
}

#[test]
#[cfg(not(feature = "store-mongodb"))]
fn tables_on_mongodb_that_is_not_built_in_say_how_it_would_be() {
    let error = error("[project]\nstore = 'mongodb'", &[], &[]);
    assert!(error.contains("--features store-mongodb"), "{error}");
}
