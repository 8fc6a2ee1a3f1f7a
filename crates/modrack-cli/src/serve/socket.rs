//! The Unix socket in a state folder: for this user alone from its first moment, in place of one that was left. A folder whose path is
//! longer than a socket's may be is reached through its descriptor.
//!
//! Nothing is sent or read here.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// The socket's name in a state folder.
pub(crate) const NAME: &str = "serve.sock";

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 128;

/// Listens on the socket of a state folder, in place of one that a dead process has left. Only the user of this process can
/// connect to it.
///
/// The caller has the state to itself: a living server's socket would be taken from it.
///
/// # Errors
/// What the system refuses.
pub(crate) fn listen(folder: &Path) -> io::Result<UnixListener> {
    let fresh = format!("{NAME}.{}", std::process::id());
    match fs::remove_file(folder.join(&fresh)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = socket()?;
    // Before it has a name: from its first moment on nobody else may connect.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    let reached = Reached::of(folder)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(reached.path.join(&fresh))?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    fs::rename(folder.join(&fresh), folder.join(NAME))?;
    Ok(UnixListener::from(socket))
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// A path of a folder that is short enough for the address of a socket in it.
struct Reached {
    path: PathBuf,
    /// What the path goes through.
    _folder: Option<File>,
}

impl Reached {
    fn of(folder: &Path) -> io::Result<Self> {
        // What the address of a socket has room for, less the longest name of one.
        const LONGEST: usize = 107 - 24;
        if folder.as_os_str().len() <= LONGEST {
            return Ok(Self { path: folder.to_owned(), _folder: None });
        }
        let open = File::open(folder)?;
        Ok(Self { path: PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())), _folder: Some(open) })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn connect(folder: &Path) -> io::Result<UnixStream> {
        UnixStream::connect(Reached::of(folder)?.path.join(NAME))
    }

    fn check(folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        // What a process that was killed has left.
        drop(listen(folder).unwrap());
        assert!(connect(folder).is_err());
        let listener = listen(folder).unwrap();
        assert_eq!(fs::metadata(folder.join(NAME)).unwrap().permissions().mode() & 0o777, 0o600);
        let mut there = connect(folder).unwrap();
        there.write_all(b"a").unwrap();
        let mut read = [0];
        listener.accept().unwrap().0.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"a");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn a_socket_is_reached_however_long_its_path_is() {
        let root = tempfile::tempdir().unwrap();
        check(&root.path().join("short"));
        check(&root.path().join("a".repeat(120)).join("b".repeat(200)));
    }
}
