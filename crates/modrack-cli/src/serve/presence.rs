//! What a running server leaves in the state folder, so that it is found: `serve.json` and `token`; the socket stands beside them.
//!
//! Whoever makes this has the state to itself, so that what is there already was left by a process that was killed. It is
//! taken away with the server, and by a signal that ends the process at once.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use modrack::text::Source;
use modrack_core::{Code, Error, Result};
use serde_json::json;

use crate::output::reason;
use crate::serve::socket;
use crate::serve::token::Token;

/// Says where the server is.
pub(crate) const ABOUT: &str = "serve.json";
/// What changes the rack over TCP.
pub(crate) const TOKEN: &str = "token";

/// The files of a running server; they go with this.
#[derive(Debug)]
pub(crate) struct Presence {
    pub(crate) folder: PathBuf,
    pub(crate) token: Token,
    files: Arc<Files>,
}

/// What is to be taken away, once: another server's files have the same names.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    /// Whether it was.
    are_gone: Mutex<bool>,
}

impl Presence {
    /// Makes the token. The server is not found before [`Presence::tell`].
    ///
    /// # Errors
    /// [`Code::StateUnwritable`].
    pub(crate) fn begin(folder: &Path) -> Result<Self> {
        let folder = std::path::absolute(folder).map_err(|why| unwritable(folder, &why))?;
        fs::create_dir_all(&folder).map_err(|why| unwritable(&folder, &why))?;
        let files = Arc::new(Files { folder: folder.clone(), are_gone: Mutex::new(false) });
        files.remove();
        let token = Token::new()?;
        write(&folder, TOKEN, token.text())?;
        Ok(Self { folder, token, files })
    }

    /// Says where the server is: it listens by now.
    ///
    /// # Errors
    /// [`Code::StateUnwritable`].
    pub(crate) fn tell(&self, address: SocketAddr, rack: Option<&Path>) -> Result<()> {
        let rack = rack.map(|rack| Source::of(rack).absolute().file());
        let about = json!({
            "address": address.to_string(),
            "rack": rack.map(|rack| rack.display().to_string()),
            "pid": std::process::id(),
            "socket": self.socket().display().to_string(),
            "started": crate::clock::now_rfc3339(),
        });
        write(&self.folder, ABOUT, &about.to_string())
    }

    /// Where the socket is.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(socket::NAME)
    }

    /// The files, for who ends the process at once.
    pub(crate) fn files(&self) -> Arc<Files> {
        self.files.clone()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.files.clear();
    }
}

impl Files {
    /// Takes them away, the first time that it is said.
    pub(crate) fn clear(&self) {
        let mut are_gone = self.are_gone.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *are_gone, true) {
            self.remove();
        }
    }

    fn remove(&self) {
        for name in [ABOUT, socket::NAME, TOKEN] {
            // What is not there is as it should be.
            let _ = fs::remove_file(self.folder.join(name));
        }
    }
}

/// Writes a file that only this user can read, whole or not at all.
fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let fresh = folder.join(format!("{name}.{}", std::process::id()));
    let written = || -> io::Result<()> {
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(format!("{text}\n").as_bytes())?;
        drop(file);
        fs::rename(&fresh, folder.join(name))
    };
    written().map_err(|why| unwritable(folder, &why))
}

fn unwritable(folder: &Path, why: &io::Error) -> Error {
    let message = format!("The state in `{}` cannot be written: {}", folder.display(), reason(why));
    Error::new(Code::StateUnwritable, message).hint("Name another folder with `state:` or `MODRACK_STATE`")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_a_server_leaves_is_for_its_user_alone_and_goes_with_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("state");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(ABOUT), "left").unwrap();
        fs::write(folder.join(TOKEN), "left").unwrap();
        let presence = Presence::begin(&folder).unwrap();
        assert!(!folder.join(ABOUT).exists());
        let token = fs::read_to_string(folder.join(TOKEN)).unwrap();
        assert!(presence.token.is(token.trim().as_bytes()));
        presence.tell("127.0.0.1:1".parse().unwrap(), None).unwrap();
        for name in [TOKEN, ABOUT] {
            let mode = fs::metadata(folder.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let about: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join(ABOUT)).unwrap()).unwrap();
        assert_eq!(about["address"], "127.0.0.1:1");
        assert_eq!(about["pid"], std::process::id());
        let files = presence.files();
        drop(presence);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        // Whoever has the state next is left alone.
        let next = Presence::begin(&folder).unwrap();
        files.clear();
        assert!(folder.join(TOKEN).exists());
        drop(next);
    }
}
