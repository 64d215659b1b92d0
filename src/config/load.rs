//! From file, environment and flags to one configuration that knows where each value comes from.

use super::{Config, check, file, keys};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use toml::{Table, Value};

/// What the operator gave. A later one wins: defaults, file, environment, flags.
#[derive(Clone, Debug, Default)]
pub struct Sources<E> {
    /// The file, in TOML; it must exist if it is named.
    pub file: Option<PathBuf>,
    /// The environment: `HOOKLOG_RECEIVE__BODY_BYTES_MAX` is `receive.body_bytes_max`. Names that
    /// do not begin with `HOOKLOG_`, and [`RESERVED`] ones, are left alone.
    pub environment: E,
    /// Flags of the command line, by the key that they set.
    pub flags: Vec<(String, String)>,
}

/// A configuration, and where each of its values comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values in force.
    pub config: Config,
    /// The origin of every key, such as `receive.body_bytes_max`.
    pub origins: BTreeMap<String, Origin>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program.
    Default,
    /// This line of this file, counted from 1.
    File(PathBuf, usize),
    /// This variable.
    Environment(String),
    /// This flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file is not TOML.
    #[error("{path}:{line}: this is not TOML: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// There is no such key.
    #[error("{origin}: there is no key `{key}`; {}", advice(nearest.as_deref()))]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// The key.
        key: String,
        /// The key that looks most like it, if any does.
        nearest: Option<String>,
    },
    /// A value is of the wrong type, or out of bounds.
    #[error("{origin}: `{key}` cannot be `{value}`: {reason}")]
    BadValue {
        /// Where it stands.
        origin: Origin,
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
}

fn advice(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`hooklog config show` lists all keys".to_owned(),
    }
}

/// Variables that begin with `HOOKLOG_` and are no configuration: the client's, and the first token.
pub const RESERVED: &[&str] = &[
    "HOOKLOG_ADMIN_TOKEN",
    "HOOKLOG_SERVER",
    "HOOKLOG_TOKEN",
    "HOOKLOG_LOG",
    "HOOKLOG_CONFIG",
    "HOOKLOG_OUTPUT",
];

/// The variables of this process that begin with `HOOKLOG_`; what is not UTF-8 is replaced, and
/// then refused by its type.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os()
        .map(move |(name, value)| (text(name), text(value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
}

const PREFIX: &str = "HOOKLOG_";

/// After the prefix: variables that name the services which tests use.
const TESTS: &str = "TEST_";

/// Puts the configuration together, and checks every value.
///
/// # Errors
/// For the first file, key or value that is wrong: where it stands, what it is, and what would be
/// right.
pub fn load<E>(sources: Sources<E>) -> Result<Loaded, ConfigError>
where
    E: IntoIterator<Item = (String, String)>,
{
    let mut given = match &sources.file {
        Some(path) => file::read(path)?,
        None => Vec::new(),
    };
    for (name, value) in sources.environment {
        if let Some(key) = variable_key(&name) {
            given.push(from_text(key, &value, Origin::Environment(name))?);
        }
    }
    for (key, value) in sources.flags {
        let flag = format!("--{}", key.replace('_', "-"));
        given.push(from_text(key, &value, Origin::Flag(flag))?);
    }
    let mut table = keys::defaults();
    let mut origins: BTreeMap<String, Origin> = keys::all()
        .into_keys()
        .map(|key| (key, Origin::Default))
        .collect();
    for Given { key, value, origin } in given {
        check_type(&key, &value, &origin)?;
        keys::set(&mut table, &key, value);
        origins.insert(key, origin);
    }
    let config = Config::deserialize_table(table)?;
    let loaded = Loaded { config, origins };
    check::check(&loaded)?;
    Ok(loaded)
}

/// One value that somebody gave.
pub(super) struct Given {
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The key that a variable sets; none if it is not about configuration.
fn variable_key(name: &str) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?;
    let reserved = RESERVED.contains(&name) || rest.starts_with(TESTS);
    (!reserved).then(|| rest.to_lowercase().replace("__", "."))
}

fn from_text(key: String, text: &str, origin: Origin) -> Result<Given, ConfigError> {
    let Some(example) = keys::all().remove(&key) else {
        return Err(unknown(key, origin));
    };
    let value = keys::parse_like(&example, text);
    Ok(Given { key, value, origin })
}

pub(super) fn unknown(key: String, origin: Origin) -> ConfigError {
    let nearest = keys::nearest(&key);
    ConfigError::UnknownKey {
        origin,
        key,
        nearest,
    }
}

/// One value at a time stands in for its default, so that an error is about that value.
fn check_type(key: &str, value: &Value, origin: &Origin) -> Result<(), ConfigError> {
    let mut table = keys::defaults();
    keys::set(&mut table, key, value.clone());
    match table.try_into::<Config>() {
        Ok(_) => Ok(()),
        Err(error) => {
            let reason = format!("{}{}", error.message().trim(), form(key));
            Err(bad(key, value, origin, reason))
        }
    }
}

/// How values of this key are written, where their type does not say it.
fn form(key: &str) -> &'static str {
    match key {
        "receive.trusted_proxies" | "deliver.allow" => {
            "; a network is written in CIDR form, such as 10.0.0.0/8 or fd00::/8"
        }
        _ => "",
    }
}

pub(super) fn bad(key: &str, value: &Value, origin: &Origin, reason: String) -> ConfigError {
    ConfigError::BadValue {
        origin: origin.clone(),
        key: key.to_owned(),
        value: value.to_string().trim_matches('"').to_owned(),
        reason,
    }
}

impl Config {
    fn deserialize_table(table: Table) -> Result<Self, ConfigError> {
        let whole = Origin::Default;
        table
            .try_into()
            .map_err(|error: toml::de::Error| ConfigError::BadValue {
                origin: whole,
                key: "configuration".to_owned(),
                value: String::new(),
                reason: error.message().to_owned(),
            })
    }
}

#[cfg(test)]
mod tests;
