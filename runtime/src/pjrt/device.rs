//! Devices of plugins by a handle that is cheap to copy and to compare.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rjax_ir::Result;

use super::{Client, Plugin};

/// The first device of a plugin. Its client lives until the process ends: arrays may be on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PjrtDevice(usize);

/// One client for each plugin, in the order of their opening.
static OPENED: Mutex<Vec<&'static Client>> = Mutex::new(vec![]);

impl PjrtDevice {
    /// Loads a plugin and opens its first device; the same plugin gives the same device again.
    pub fn open(path: impl AsRef<Path>) -> Result<PjrtDevice> {
        let plugin = Plugin::load(path)?;
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = opened.iter().position(|client| client.plugin().path() == plugin.path()) {
            return Ok(PjrtDevice(place));
        }
        opened.push(Box::leak(Box::new(Client::new(plugin)?)));
        Ok(PjrtDevice(opened.len() - 1))
    }

    /// The client whose first device this is.
    pub fn client(self) -> &'static Client {
        OPENED.lock().unwrap_or_else(PoisonError::into_inner)[self.0]
    }

    /// Tells opened devices apart.
    pub fn number(self) -> usize {
        self.0
    }
}
