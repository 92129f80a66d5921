//! Where the elements of an array are.

use std::sync::Arc;

use rjax_ir::{Aval, Result, Tensor, bail};
use rjax_runtime::pjrt::{DeviceBuffer, PjrtDevice};
use rjax_runtime::{Buffer, Device};

/// An array's elements, on the host or on a device of a plugin.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Host(Arc<Buffer>),
    /// What computes them may still be under way; what reads them waits.
    Pjrt(Arc<DeviceBuffer>, PjrtDevice),
}

impl Value {
    pub fn host(buffer: Buffer) -> Value {
        Value::Host(Arc::new(buffer))
    }

    pub fn aval(&self) -> &Aval {
        match self {
            Value::Host(buffer) => buffer.aval(),
            Value::Pjrt(buffer, _) => buffer.aval(),
        }
    }

    pub fn device(&self) -> Device {
        match self {
            Value::Host(_) => Device::Cpu,
            Value::Pjrt(_, device) => Device::Pjrt(*device),
        }
    }

    /// A copy of the elements; an error of the computation that made them comes up here.
    pub fn to_tensor(&self) -> Result<Tensor> {
        match self {
            Value::Host(buffer) => Ok(buffer.to_tensor()),
            Value::Pjrt(buffer, _) => buffer.download(),
        }
    }

    /// The elements in the host's memory.
    pub fn into_host(self) -> Result<Arc<Buffer>> {
        match self {
            Value::Host(buffer) => Ok(buffer),
            Value::Pjrt(buffer, _) => Ok(Arc::new(Buffer::from_tensor(&buffer.download()?))),
        }
    }

    /// The elements on a plugin's device. Those on another one are not moved unasked.
    pub fn into_pjrt(self, device: PjrtDevice) -> Result<Arc<DeviceBuffer>> {
        match self {
            Value::Host(buffer) => Ok(Arc::new(device.client().upload(&buffer.to_tensor(), 0)?)),
            Value::Pjrt(buffer, there) if there == device => Ok(buffer),
            Value::Pjrt(_, there) => bail!(
                Unsupported,
                "device: an operand is on a device of {}, the computation runs on one of {}; move it with to_device",
                there.client().plugin().path(),
                device.client().plugin().path()
            ),
        }
    }

    /// The same elements on another device.
    pub fn on(self, device: Device) -> Result<Value> {
        match device {
            Device::Cpu | Device::Interpreter => Ok(Value::Host(self.into_host()?)),
            Device::Pjrt(device) => {
                let elsewhere = matches!(&self, Value::Pjrt(_, there) if *there != device);
                let value = if elsewhere { Value::Host(self.into_host()?) } else { self };
                Ok(Value::Pjrt(value.into_pjrt(device)?, device))
            }
        }
    }

    pub fn wait(&self) -> Result<()> {
        match self {
            Value::Host(_) => Ok(()),
            Value::Pjrt(buffer, _) => buffer.wait(),
        }
    }
}
