//! A database's address: tokio-postgres's own, and what of TLS it does not read itself.

use std::{path::PathBuf, str::FromStr};

use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

use super::{
    CONNECT_WAIT, SETTINGS,
    tls::{Check, Connector},
};
use crate::{Cause, StoreError, error::cause};

/// Where a database is, and how it is spoken to.
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) connector: Connector,
    /// Which database, for a person; without the password.
    pub(super) what: String,
}

impl Address {
    pub(super) fn read(url: &str) -> Result<Address, StoreError> {
        let (url, tls) = TlsOptions::take(url);
        let mut config = Config::from_str(&url).map_err(|error| StoreError::Open {
            what: "at the PostgreSQL address given".to_owned(),
            hint: "expected postgres://USER:PASSWORD@HOST/DATABASE, with signs such as @ : / ? # \
                   or % in the password written as %40 and the like",
            // With such a sign in it a piece of the password is taken for an option, and named.
            source: match url.split_once(['?', '#']) {
                Some((_, options)) if options.contains('@') => "an option is not known".into(),
                _ => cause(&error),
            },
        })?;
        let what = describe(&config);
        let refused = |hint: &'static str, source: Cause| StoreError::Open {
            what: what.clone(),
            hint,
            source,
        };
        let (mode, check) = match tls.mode.as_deref() {
            Some(name) => mode(name)
                .ok_or_else(|| refused(HINT_MODE, format!("sslmode is {name:?}").into()))?,
            None if config.get_ssl_mode() == SslMode::Require => {
                (SslMode::Require, Check::AuthorityAndHost)
            }
            None => (config.get_ssl_mode(), Check::Nothing),
        };
        if tls.authorities.is_some() && check == Check::Nothing {
            let source = "sslrootcert is set, but no certificate is checked".into();
            return Err(refused(
                "use sslmode=verify-full with it, or leave it out",
                source,
            ));
        }
        let connector = Connector::new(check, tls.authorities);
        let connector = connector.map_err(|error| {
            refused("see that the file is there and may be read", cause(&error))
        })?;
        let local = |host: &Host| !matches!(host, Host::Tcp(_));
        // PostgreSQL has no TLS on a Unix socket; asking would be a round trip more.
        let mode = match mode {
            SslMode::Prefer if config.get_hosts().iter().all(local) => SslMode::Disable,
            mode => mode,
        };
        config.ssl_mode(mode);
        complete(&mut config);
        Ok(Address {
            config,
            connector,
            what,
        })
    }
}

/// What every connection sets, where the address does not.
fn complete(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_WAIT);
    }
    let options = match config.get_options() {
        // The user's come last, and win.
        Some(theirs) => format!("{SETTINGS} {theirs}"),
        None => SETTINGS.to_owned(),
    };
    config.options(options);
    if config.get_application_name().is_none() {
        config.application_name("guildgate");
    }
}

fn mode(name: &str) -> Option<(SslMode, Check)> {
    Some(match name {
        "disable" => (SslMode::Disable, Check::Nothing),
        "prefer" => (SslMode::Prefer, Check::Nothing),
        "verify-ca" => (SslMode::Require, Check::Authority),
        "require" | "verify-full" => (SslMode::Require, Check::AuthorityAndHost),
        _ => return None,
    })
}

const HINT_MODE: &str = "expected sslmode=disable, prefer, require, verify-ca or verify-full";

/// The options of an address that are about TLS.
#[derive(Debug, Default, PartialEq, Eq)]
struct TlsOptions {
    mode: Option<String>,
    authorities: Option<PathBuf>,
}

impl TlsOptions {
    /// Takes them out of a URL.
    fn take(url: &str) -> (String, TlsOptions) {
        let mut taken = TlsOptions::default();
        let Some((before, options)) = url.split_once('?').filter(|_| url.contains("://")) else {
            return (url.to_owned(), taken);
        };
        let mut left = Vec::new();
        for option in options.split('&') {
            match option.split_once('=') {
                Some(("sslmode", mode)) => taken.mode = Some(mode.to_owned()),
                Some(("sslrootcert", path)) => {
                    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
                    // As for PostgreSQL's own programs, "system" is what is trusted anyway.
                    taken.authorities = (path != "system").then(|| path.into_owned().into());
                }
                _ => left.push(option),
            }
        }
        let url = if left.is_empty() {
            before.to_owned()
        } else {
            format!("{before}?{}", left.join("&"))
        };
        (url, taken)
    }
}

fn describe(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        // With an @ in the password, what follows it is taken for the host.
        Some(Host::Tcp(host)) => host.rsplit('@').next().unwrap_or_default().to_owned(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let name = config
        .get_dbname()
        .or(config.get_user())
        .unwrap_or("postgres");
    format!("{name:?} on {host} (PostgreSQL)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, left: &str, mode: Option<&str>, authorities: Option<&str>) {
        let expected = TlsOptions {
            mode: mode.map(str::to_owned),
            authorities: authorities.map(PathBuf::from),
        };
        assert_eq!(TlsOptions::take(url), (left.to_owned(), expected), "{url}");
    }

    #[test]
    fn what_is_about_tls_is_taken_out_of_an_address() {
        check("postgres://h/d", "postgres://h/d", None, None);
        check(
            "postgres://h/d?sslmode=verify-full&connect_timeout=3&sslrootcert=/a%20b/ca.pem",
            "postgres://h/d?connect_timeout=3",
            Some("verify-full"),
            Some("/a b/ca.pem"),
        );
        check(
            "postgres://h/d?sslmode=require",
            "postgres://h/d",
            Some("require"),
            None,
        );
        check(
            "postgres://h/d?sslrootcert=system",
            "postgres://h/d",
            None,
            None,
        );
        check(
            "host=h sslmode=require",
            "host=h sslmode=require",
            None,
            None,
        );
    }

    #[test]
    fn what_would_check_nothing_or_is_no_mode_is_refused() {
        let told = |url: &str| match Address::read(url) {
            Err(StoreError::Open { hint, source, .. }) => format!("{hint}: {source}"),
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{url} must be refused"),
        };
        assert!(told("postgres://h/d?sslmode=on").contains("expected sslmode=disable"));
        let unchecked = told("postgres://h/d?sslmode=prefer&sslrootcert=ca.pem");
        assert!(unchecked.contains("use sslmode=verify-full"), "{unchecked}");
        let missing = told("postgres://h/d?sslmode=verify-ca&sslrootcert=/no/such.pem");
        assert!(missing.contains("/no/such.pem"), "{missing}");
        let local = Address::read("postgres://me@%2Frun/d").expect("good");
        assert_eq!(local.config.get_ssl_mode(), SslMode::Disable);
        let far = Address::read("postgres://me@h/d").expect("good");
        assert_eq!(far.config.get_ssl_mode(), SslMode::Prefer);
    }
}
