//! What programs can run on.

use std::fmt;
use std::path::Path;

use rjax_ir::{Result, bail};

use crate::pjrt::{PjrtDevice, find_libtpu, find_plugin};
use crate::threads;

/// A device that programs run on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum Device {
    /// The host's processor, through compiled code.
    #[default]
    Cpu,
    /// The reference interpreter: slow, and the definition of what programs mean.
    Interpreter,
    /// The first device of a PJRT plugin.
    Pjrt(PjrtDevice),
}

impl Device {
    /// The device's name on command lines: `cpu`, `interp`.
    pub const fn name(self) -> &'static str {
        match self {
            Device::Cpu => "cpu",
            Device::Interpreter => "interp",
            Device::Pjrt(_) => "pjrt",
        }
    }

    /// The first device of the PJRT plugin in this shared library, which stays loaded.
    pub fn pjrt(path: impl AsRef<Path>) -> Result<Device> {
        PjrtDevice::open(path).map(Device::Pjrt)
    }

    /// The first TPU of this machine. libtpu is looked for where it is usually installed, see
    /// [`find_libtpu`](crate::pjrt::find_libtpu).
    pub fn tpu() -> Result<Device> {
        Device::pjrt(find_libtpu()?)
    }

    /// Tells devices apart.
    pub fn number(self) -> u64 {
        match self {
            Device::Cpu => 0,
            Device::Interpreter => 1,
            Device::Pjrt(device) => 2 + device.number() as u64,
        }
    }

    /// The device with this name: `cpu`, `interp`, `tpu`, `pjrt:PATH`, or `pjrt` for the plugin that the environment names. The error says why a device that rjax knows of cannot be used.
    pub fn parse(name: &str) -> Result<Device> {
        match name.split_once(':') {
            Some(("pjrt", path)) if !path.is_empty() => return Device::pjrt(path),
            None if name == "pjrt" && std::env::var_os("RJAX_PJRT_PLUGIN").is_some() => {
                return Device::pjrt(find_plugin()?);
            }
            None if name == "tpu" => return Device::tpu(),
            Some(_) | None => {}
        }
        let (kind, ordinal) = name.split_once(':').map_or((name, None), |(kind, ordinal)| (kind, Some(ordinal)));
        for report in devices() {
            if report.name != kind {
                continue;
            }
            return match report.device {
                Ok(_) if !matches!(ordinal, None | Some("0")) => {
                    bail!(Unsupported, "device: there is one device `{kind}`, found `{name}`")
                }
                Ok((device, _)) => Ok(device),
                Err(why) => bail!(Unsupported, "device: `{name}` cannot be used: {why}"),
            };
        }
        let known: Vec<_> = devices().iter().map(|report| report.name).collect();
        bail!(Parameter, "device: there is no device `{name}`; known are {}", known.join(", "))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One line of the device list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceReport {
    /// The name on command lines.
    pub name: &'static str,
    /// The device and a description of it, or why it cannot be used.
    pub device: Result<(Device, String), String>,
}

impl fmt::Display for DeviceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.device {
            Ok((_, description)) => write!(f, "{:<8}{description}", self.name),
            Err(why) => write!(f, "{:<8}not available: {why}", self.name),
        }
    }
}

/// The devices that rjax knows of: what is there, and why something is not.
pub fn devices() -> Vec<DeviceReport> {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let cpu = format!("{cores} cores, {} threads in use, {}", threads(), instruction_sets());
    let interp = "the reference interpreter".to_string();
    vec![
        DeviceReport { name: "cpu", device: Ok((Device::Cpu, cpu)) },
        DeviceReport { name: "interp", device: Ok((Device::Interpreter, interp)) },
        DeviceReport { name: "cuda", device: Err("this version of rjax has no CUDA backend".into()) },
        DeviceReport { name: "rocm", device: Err("this version of rjax has no ROCm backend".into()) },
        DeviceReport { name: "pjrt", device: Err("no plugin is named: use pjrt:PATH, or set RJAX_PJRT_PLUGIN".into()) },
    ]
}

/// Architecture and vector extensions of the host, for people.
fn instruction_sets() -> String {
    #[allow(unused_mut, reason = "only some architectures have extensions to list")]
    let mut names = vec![std::env::consts::ARCH];
    #[cfg(target_arch = "x86_64")]
    {
        let present = [
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("fma", std::arch::is_x86_feature_detected!("fma")),
            ("f16c", std::arch::is_x86_feature_detected!("f16c")),
            ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
            ("avx512bf16", std::arch::is_x86_feature_detected!("avx512bf16")),
        ];
        names.extend(present.iter().filter(|(_, there)| *there).map(|(name, _)| *name));
    }
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_errors_say_what_is_there() {
        assert_eq!(Device::parse("cpu").expect("exists"), Device::Cpu);
        assert_eq!(Device::parse("cpu:0").expect("exists"), Device::Cpu);
        assert_eq!(Device::parse("interp").expect("exists"), Device::Interpreter);
        let error = |name| Device::parse(name).expect_err("not there").to_string();
        assert_eq!(error("cuda:0"), "device: `cuda:0` cannot be used: this version of rjax has no CUDA backend");
        assert_eq!(error("cpu:1"), "device: there is one device `cpu`, found `cpu:1`");
        assert_eq!(error("abacus"), "device: there is no device `abacus`; known are cpu, interp, cuda, rocm, pjrt");
    }
}
