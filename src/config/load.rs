//! From file, environment and flags to one configuration that knows where each value comes from.

use super::{Config, check, keys};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

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
    #[error("{origin}: there is no key `{key}`; did you mean `{nearest}`?")]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// The key.
        key: String,
        /// The key that looks most like it.
        nearest: String,
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
        Some(path) => from_file(path)?,
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
struct Given {
    key: String,
    value: Value,
    origin: Origin,
}

/// The key that a variable sets; none if it is not about configuration.
fn variable_key(name: &str) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?;
    let reserved = RESERVED.contains(&name);
    (!reserved).then(|| rest.to_lowercase().replace("__", "."))
}

fn from_text(key: String, text: &str, origin: Origin) -> Result<Given, ConfigError> {
    let Some(example) = keys::all().remove(&key) else {
        return Err(unknown(key, origin));
    };
    let value = keys::parse_like(&example, text);
    Ok(Given { key, value, origin })
}

fn from_file(path: &Path) -> Result<Vec<Given>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let syntax = |error: toml::de::Error| ConfigError::Syntax {
        path: path.to_owned(),
        line: line_of(&text, error.span().map_or(0, |span| span.start)),
        reason: error.message().to_owned(),
    };
    // Parsed twice: once for the places of the keys, once for plain values.
    let places = DeTable::parse(&text).map_err(syntax)?;
    let values: Table = text.parse().map_err(syntax)?;
    let file = File { path, text: &text };
    let mut given = Vec::new();
    file.collect("", places.get_ref(), &values, &mut given)?;
    Ok(given)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn collect(
        &self,
        section: &str,
        places: &DeTable<'_>,
        values: &Table,
        given: &mut Vec<Given>,
    ) -> Result<(), ConfigError> {
        for (name, place) in places {
            let key = format!("{section}{}", name.get_ref());
            let Some(value) = values.get(name.get_ref().as_ref()) else {
                continue;
            };
            self.collect_one(key, name.span().start, place, value, given)?;
        }
        Ok(())
    }

    fn collect_one(
        &self,
        key: String,
        at: usize,
        place: &Spanned<DeValue<'_>>,
        value: &Value,
        given: &mut Vec<Given>,
    ) -> Result<(), ConfigError> {
        let origin = Origin::File(self.path.to_owned(), line_of(self.text, at));
        if let (true, Some(places), Value::Table(values)) =
            (keys::is_section(&key), place.get_ref().as_table(), value)
        {
            return self.collect(&format!("{key}."), places, values, given);
        }
        if keys::is_section(&key) {
            let reason = format!("it is a section; write [{key}] on a line of its own");
            return Err(bad(&key, value, &origin, reason));
        }
        if !keys::all().contains_key(&key) {
            return Err(unknown(key, origin));
        }
        let value = value.clone();
        given.push(Given { key, value, origin });
        Ok(())
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn unknown(key: String, origin: Origin) -> ConfigError {
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
        Err(error) => Err(bad(key, value, origin, error.message().trim().to_owned())),
    }
}

fn bad(key: &str, value: &Value, origin: &Origin, reason: String) -> ConfigError {
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
