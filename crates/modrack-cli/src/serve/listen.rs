//! Where the server listens: one TCP address, and the socket in the state folder.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::path::Path;

use modrack_core::{Code, Error, Result};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;

use crate::output::reason;
use crate::serve::socket;

/// A TCP address that is listened on.
pub(crate) struct Tcp {
    pub(crate) listener: TcpListener,
    /// The address, with the port that the system chose where none was named.
    pub(crate) address: SocketAddr,
}

/// Listens on `address`.
///
/// # Errors
/// [`Code::AddressUnavailable`].
pub(crate) fn tcp(runtime: &Runtime, address: SocketAddr) -> Result<Tcp> {
    let _entered = runtime.enter();
    let bound = StdTcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Tcp { listener: TcpListener::from_std(listener)?, address })
    });
    bound.map_err(|why| {
        let error = Error::new(
            Code::AddressUnavailable,
            format!("`{address}` cannot be listened on: {}", reason(&why)),
        );
        error.hint(match why.kind() {
            io::ErrorKind::AddrInUse => {
                "Name another port with `--port N`; `--port 0` takes one that is free".to_owned()
            }
            _ => "Name an address of this machine with `--listen ADDRESS:PORT`".to_owned(),
        })
    })
}

/// Listens on the socket of a state folder.
///
/// # Errors
/// [`Code::StateUnwritable`].
pub(crate) fn socket(runtime: &Runtime, folder: &Path) -> Result<UnixListener> {
    let _entered = runtime.enter();
    let bound = socket::listen(folder).and_then(|listener| {
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener)
    });
    bound.map_err(|why| {
        let path = folder.join(socket::NAME);
        let message = format!("The socket `{}` cannot be made: {}", path.display(), reason(&why));
        Error::new(Code::StateUnwritable, message)
            .hint("Name another folder with `state:` or `MODRACK_STATE`")
    })
}
