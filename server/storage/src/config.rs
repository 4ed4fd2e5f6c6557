//! Which database, read from a URL. What does not belong here: opening it (`storage`).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Connections to PostgreSQL, and readers of a SQLite file, where nothing else is said.
pub const DEFAULT_POOL_SIZE: u32 = 8;

/// Which database to open. Its text and debug forms hide the password.
#[derive(Clone, PartialEq, Eq)]
pub enum StorageConfig {
    /// An embedded database in one file.
    Sqlite {
        /// The file; made when it does not exist.
        path: PathBuf,
    },
    /// A PostgreSQL server.
    Postgres {
        /// `postgres://user:password@host:port/database`.
        url: String,
        /// How many connections at most.
        pool_size: u32,
    },
}

/// The text names no database that we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Nothing was given.
    #[error("the database URL is empty; expected sqlite:FILE, a file path, or postgres://…")]
    Empty,
    /// Another database system.
    #[error("'{scheme}' databases are not supported; expected sqlite:FILE, a file path, or postgres://…")]
    UnknownScheme {
        /// What stands before the colon.
        scheme: String,
    },
}

impl FromStr for StorageConfig {
    type Err = ConfigError;

    /// Reads `sqlite:FILE`, `sqlite://FILE`, a plain path, `postgres://…` or `postgresql://…`.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres { url: text.to_owned(), pool_size: DEFAULT_POOL_SIZE });
        }
        let path = match text.split_once(':') {
            Some(("sqlite", rest)) => rest.strip_prefix("//").unwrap_or(rest),
            // One letter before a colon is a drive; anything with a slash before it is a path.
            Some((scheme, _)) if scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
                return Err(ConfigError::UnknownScheme { scheme: scheme.to_owned() });
            }
            _ => text,
        };
        if path.is_empty() {
            return Err(ConfigError::Empty);
        }
        Ok(Self::Sqlite { path: PathBuf::from(path) })
    }
}

impl fmt::Display for StorageConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path } => write!(f, "sqlite:{}", path.display()),
            Self::Postgres { url, .. } => f.write_str(&redacted(url)),
        }
    }
}

impl fmt::Debug for StorageConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorageConfig({self})")
    }
}

/// The URL without its password and without its parameters, which may hold one too.
fn redacted(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(before, _)| before);
    let Some((scheme, rest)) = url.split_once("://") else { return "postgres://…".to_owned() };
    // A password may itself hold an '@' that nobody escaped, so the last one ends it.
    match rest.rsplit_once('@') {
        Some((credentials, place)) => {
            let user = credentials.split_once(':').map_or(credentials, |(user, _)| user);
            format!("{scheme}://{user}:…@{place}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_paths_are_told_apart() {
        let sqlite = |path: &str| Ok(StorageConfig::Sqlite { path: PathBuf::from(path) });
        assert_eq!("sqlite:data/callout.db".parse(), sqlite("data/callout.db"));
        assert_eq!("sqlite:///srv/callout.db".parse(), sqlite("/srv/callout.db"));
        assert_eq!("./callout.db".parse(), sqlite("./callout.db"));
        assert_eq!("C:\\callout.db".parse(), sqlite("C:\\callout.db"));
        assert!(matches!("postgresql://a@b/c".parse(), Ok(StorageConfig::Postgres { .. })));
        assert_eq!(
            "mysql://a@b/c".parse::<StorageConfig>(),
            Err(ConfigError::UnknownScheme { scheme: "mysql".to_owned() })
        );
        assert_eq!("sqlite:".parse::<StorageConfig>(), Err(ConfigError::Empty));
        assert_eq!(" ".parse::<StorageConfig>(), Err(ConfigError::Empty));
    }

    #[test]
    fn the_password_never_shows() {
        for url in [
            "postgres://u:s3cret@h:5432/d",
            "postgres://u:s3@cret@h/d?password=s3cret",
            "postgres://h/d?password=s3cret",
        ] {
            let config: StorageConfig = url.parse().unwrap();
            assert!(!format!("{config} {config:?}").contains("cret"), "{config}");
        }
        let config: StorageConfig = "postgres://u:p@h:5432/d".parse().unwrap();
        assert_eq!(config.to_string(), "postgres://u:…@h:5432/d");
    }
}
