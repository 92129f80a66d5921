//! `--device pjrt:PATH`: programs written as StableHLO, compiled and run by a plugin.

use std::path::PathBuf;

use rjax_ir::Program;
use rjax_runtime::pjrt::{Client, Executable, Plugin, find_libtpu, find_plugin};
use rjax_stablehlo::bytecode::{self, Version};

use crate::{Result, pipeline};

/// The plugin that a device name means: `tpu`, `pjrt:PATH`, or `pjrt` for the one that the environment names. `None` for other
/// devices.
pub fn pjrt_path(device: &str) -> Result<Option<PathBuf>> {
    if device == "tpu" {
        return find_libtpu().map(Some).map_err(|e| e.to_string());
    }
    match device.strip_prefix("pjrt") {
        Some("" | ":") => find_plugin().map(Some).map_err(|e| e.to_string()),
        Some(rest) => Ok(rest.strip_prefix(':').map(PathBuf::from)),
        None => Ok(None),
    }
}

/// A plugin with its devices.
pub struct Plugged {
    client: Client,
    version: Version,
}

impl Plugged {
    /// Loads the plugin and asks it which StableHLO it reads.
    pub fn new(path: &std::path::Path) -> Result<Plugged> {
        let plugin = Plugin::load(path).map_err(|e| e.to_string())?;
        let newest = plugin.stablehlo_version().map_or(Version::DEFAULT, |(a, b, c)| Version(a, b, c));
        let client = Client::new(plugin).map_err(|e| e.to_string())?;
        Ok(Plugged { client, version: newest.clamp(Version::OLDEST, Version::NEWEST) })
    }

    /// The devices.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Compiles a program for the first device.
    pub fn compile(&self, program: &Program) -> Result<Executable> {
        let module = pipeline::stablehlo(program, &Default::default())?;
        let code = bytecode::write(&module, self.version).map_err(|e| e.to_string())?;
        self.client.compile(&code, 1).map_err(|e| e.to_string())
    }
}
