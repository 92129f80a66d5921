//! A plugin's devices, their memory, and programs compiled for them.

use std::ffi::c_int;
use std::ptr;
use std::sync::Arc;

use rjax_ir::{Aval, DType, Narrow, Result, Tensor, bail, ensure};

use super::Plugin;
use super::abi::{
    BufferDestroy, BufferDimensions, BufferElementType, BufferFromHostBuffer, BufferReadyEvent, BufferToHostBuffer,
    ClientAddressableDevices, ClientCompile, ClientCreate, ClientDestroy, ClientPlatformName, DeserializeAndLoad,
    ExecutableDestroy, ExecutableNumOutputs, ExecuteOptions, Handle, LoadedExecutableDestroy, LoadedExecutableExecute,
    LoadedExecutableGetExecutable, MemoryLayout, Padded, Program, Tiled,
};
use super::ahead::serialized;
use super::library::text;
use super::options::options_on;

/// The host's bytes are read before the call returns.
const IMMUTABLE_DURING_CALL: c_int = 0;

/// The plugin's number for a dtype.
pub(super) fn buffer_type(dtype: DType) -> c_int {
    match dtype {
        DType::Bool => 1,
        DType::I8 => 2,
        DType::I16 => 3,
        DType::I32 => 4,
        DType::I64 => 5,
        DType::U8 => 6,
        DType::U16 => 7,
        DType::U32 => 8,
        DType::U64 => 9,
        DType::F16 => 10,
        DType::F32 => 11,
        DType::F64 => 12,
        DType::BF16 => 13,
        DType::C64 => 14,
        DType::C128 => 15,
        DType::Narrow(narrow) => match narrow {
            Narrow::F8E5M2 => 16,
            Narrow::F8E4M3FN => 17,
            Narrow::F8E4M3B11FNUZ => 18,
            Narrow::F8E5M2FNUZ => 19,
            Narrow::F8E4M3FNUZ => 20,
            Narrow::I4 => 21,
            Narrow::U4 => 22,
            Narrow::I2 => 24,
            Narrow::U2 => 25,
            Narrow::F8E4M3 => 26,
            Narrow::F8E3M4 => 27,
            Narrow::F8E8M0FNU => 28,
        },
    }
}

/// The devices of a plugin on this machine.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    plugin: Plugin,
    client: Handle,
    devices: Vec<Handle>,
}

// SAFETY: PJRT clients may be used from any thread, several at a time.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut destroy = Padded::<ClientDestroy>::new();
        destroy.arguments.client = self.client;
        self.plugin.free(&mut destroy);
    }
}

impl Client {
    /// A client of a plugin, with at least one device.
    pub fn new(plugin: Plugin) -> Result<Client> {
        let mut create = Padded::<ClientCreate>::new();
        plugin.call(&mut create)?;
        let client = create.arguments.client;
        let mut inner = Inner { plugin, client, devices: vec![] };
        let mut list = Padded::<ClientAddressableDevices>::new();
        list.arguments.client = client;
        plugin.call(&mut list)?;
        let (devices, count) = (list.arguments.addressable_devices, list.arguments.num_addressable_devices);
        if count > 0 {
            // SAFETY: the plugin gives this many devices, which live as long as the client.
            inner.devices = unsafe { std::slice::from_raw_parts(devices, count) }.to_vec();
        }
        ensure!(!inner.devices.is_empty(), Io, "pjrt: {}: the plugin has no device on this machine", plugin.path());
        Ok(Client { inner: Arc::new(inner) })
    }

    /// The plugin.
    pub fn plugin(&self) -> Plugin {
        self.inner.plugin
    }

    /// The platform's name: `cpu`, `tpu`.
    pub fn platform(&self) -> Result<String> {
        let mut name = Padded::<ClientPlatformName>::new();
        name.arguments.client = self.inner.client;
        self.inner.plugin.call(&mut name)?;
        // SAFETY: the name lives as long as the client.
        Ok(unsafe { text(name.arguments.platform_name, name.arguments.platform_name_size) })
    }

    /// How many devices there are.
    pub fn devices(&self) -> usize {
        self.inner.devices.len()
    }

    /// Compiles StableHLO, a portable artifact or text, for one device or for several replicas of the program.
    pub fn compile(&self, code: &[u8], replicas: usize) -> Result<Executable> {
        ensure!(
            replicas <= self.devices(),
            Unsupported,
            "pjrt: {} replicas need as many devices, and there are {}",
            replicas,
            self.devices()
        );
        let (plugin, options) = (self.inner.plugin, options_on(&self.platform()?, replicas));
        let mut code = code.to_vec();
        let program = program(&mut code);
        let mut compile = Padded::<ClientCompile>::new();
        compile.arguments.client = self.inner.client;
        compile.arguments.program = &raw const program.arguments;
        compile.arguments.compile_options = options.as_ptr();
        compile.arguments.compile_options_size = options.len();
        plugin.call(&mut compile)?;
        Executable::new(self.clone(), compile.arguments.executable, replicas.max(1))
    }

    /// An executable from what [`Executable::serialized`] or [`Compiled::serialized`](super::Compiled::serialized) gave, for one
    /// device.
    pub fn load(&self, serialized: &[u8]) -> Result<Executable> {
        let mut load = Padded::<DeserializeAndLoad>::new();
        load.arguments.client = self.inner.client;
        load.arguments.serialized_executable = serialized.as_ptr();
        load.arguments.serialized_executable_size = serialized.len();
        self.inner.plugin.call(&mut load)?;
        Executable::new(self.clone(), load.arguments.loaded_executable, 1)
    }

    /// Copies an array to a device.
    pub fn upload(&self, tensor: &Tensor, device: usize) -> Result<DeviceBuffer> {
        let Some(&device) = self.inner.devices.get(device) else {
            bail!(Parameter, "pjrt: there is no device {device}; there are {}", self.devices())
        };
        let aval = tensor.aval();
        let bytes = tensor.to_bytes();
        let dims: Vec<i64> = aval.shape.iter().map(|&extent| extent as i64).collect();
        let mut upload = Padded::<BufferFromHostBuffer>::new();
        let arguments = &mut upload.arguments;
        arguments.client = self.inner.client;
        arguments.data = bytes.as_ptr().cast();
        arguments.type_ = buffer_type(aval.dtype);
        arguments.dims = dims.as_ptr();
        arguments.num_dims = dims.len();
        arguments.host_buffer_semantics = IMMUTABLE_DURING_CALL;
        arguments.device = device;
        self.inner.plugin.call(&mut upload)?;
        let buffer = DeviceBuffer { client: self.clone(), buffer: upload.arguments.buffer, aval };
        self.inner.plugin.wait(upload.arguments.done_with_host_buffer)?;
        Ok(buffer)
    }
}

/// A program for the plugin; the code must outlive it.
pub(super) fn program(code: &mut [u8]) -> Padded<Program> {
    const FORMAT: &[u8] = b"mlir";
    let mut program = Padded::<Program>::new();
    program.arguments.struct_size = size_of::<Program>();
    program.arguments.code = code.as_mut_ptr();
    program.arguments.code_size = code.len();
    program.arguments.format = FORMAT.as_ptr().cast();
    program.arguments.format_size = FORMAT.len();
    program
}

/// An array in a device's memory.
pub struct DeviceBuffer {
    client: Client,
    buffer: Handle,
    aval: Aval,
}

// SAFETY: PJRT buffers may be used from any thread, several at a time.
unsafe impl Send for DeviceBuffer {}
// SAFETY: as above.
unsafe impl Sync for DeviceBuffer {}

impl Drop for DeviceBuffer {
    fn drop(&mut self) {
        let mut destroy = Padded::<BufferDestroy>::new();
        destroy.arguments.buffer = self.buffer;
        self.client.inner.plugin.free(&mut destroy);
    }
}

impl std::fmt::Debug for DeviceBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceBuffer({})", self.aval)
    }
}

impl DeviceBuffer {
    /// Takes over a buffer that the plugin made, and asks it what it holds.
    fn adopt(client: &Client, buffer: Handle) -> Result<DeviceBuffer> {
        let mut adopted = DeviceBuffer { client: client.clone(), buffer, aval: Aval::scalar(DType::Bool) };
        let plugin = client.inner.plugin;
        let mut ty = Padded::<BufferElementType>::new();
        ty.arguments.buffer = buffer;
        plugin.call(&mut ty)?;
        let number = ty.arguments.type_;
        let Some(dtype) = DType::all().find(|&dtype| buffer_type(dtype) == number) else {
            bail!(Unsupported, "pjrt: a result has element type {number}, which rjax does not have")
        };
        let mut dims = Padded::<BufferDimensions>::new();
        dims.arguments.buffer = buffer;
        plugin.call(&mut dims)?;
        let (dims, count) = (dims.arguments.dims, dims.arguments.num_dims);
        // SAFETY: the plugin gives this many extents, which live as long as the buffer.
        let dims = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(dims, count) } };
        adopted.aval = Aval::new(dtype, dims.iter().map(|&extent| extent.max(0) as usize).collect::<Vec<_>>());
        Ok(adopted)
    }

    /// Dtype and shape.
    pub fn aval(&self) -> &Aval {
        &self.aval
    }

    /// Waits until the array is there.
    pub fn wait(&self) -> Result<()> {
        let plugin = self.client.inner.plugin;
        let mut ready = Padded::<BufferReadyEvent>::new();
        ready.arguments.buffer = self.buffer;
        plugin.call(&mut ready)?;
        plugin.wait(ready.arguments.event)
    }

    /// Copies the array to the host, after what computes it is done.
    pub fn download(&self) -> Result<Tensor> {
        let rank = self.aval.rank();
        let order: Vec<i64> = (0..rank as i64).rev().collect();
        // Row-major, whatever the device's own layout is.
        let mut layout = Padded::<MemoryLayout>::new();
        layout.arguments.struct_size = size_of::<MemoryLayout>();
        layout.arguments.tiled = Tiled {
            struct_size: size_of::<Tiled>(),
            extensions: ptr::null_mut(),
            minor_to_major: order.as_ptr(),
            minor_to_major_size: rank,
            tile_dims: ptr::null(),
            tile_dim_sizes: ptr::null(),
            num_tiles: 0,
        };
        let mut bytes = vec![0u8; self.aval.bytes()];
        if bytes.is_empty() {
            return Ok(Tensor::zeros(&self.aval));
        }
        let mut copy = Padded::<BufferToHostBuffer>::new();
        copy.arguments.src = self.buffer;
        copy.arguments.host_layout = &raw const layout.arguments;
        copy.arguments.dst = bytes.as_mut_ptr().cast();
        copy.arguments.dst_size = bytes.len();
        let plugin = self.client.inner.plugin;
        plugin.call(&mut copy)?;
        plugin.wait(copy.arguments.event)?;
        Ok(Tensor::from_bytes(&self.aval, &bytes))
    }
}

/// A program compiled for a client's devices.
pub struct Executable {
    client: Client,
    executable: Handle,
    outputs: usize,
    replicas: usize,
}

// SAFETY: loaded executables may be run from any thread, several at a time.
unsafe impl Send for Executable {}
// SAFETY: as above.
unsafe impl Sync for Executable {}

impl Drop for Executable {
    fn drop(&mut self) {
        let mut destroy = Padded::<LoadedExecutableDestroy>::new();
        destroy.arguments.executable = self.executable;
        self.client.inner.plugin.free(&mut destroy);
    }
}

impl std::fmt::Debug for Executable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Executable({} outputs, {} replicas)", self.outputs, self.replicas)
    }
}

impl Executable {
    fn new(client: Client, executable: Handle, replicas: usize) -> Result<Executable> {
        let mut made = Executable { client, executable, outputs: 0, replicas };
        made.outputs = made.unloaded(|plugin, executable| {
            let mut count = Padded::<ExecutableNumOutputs>::new();
            count.arguments.executable = executable;
            plugin.call(&mut count)?;
            Ok(count.arguments.num_outputs)
        })?;
        Ok(made)
    }

    /// Asks the executable that is loaded here something, apart from its devices.
    fn unloaded<T>(&self, ask: impl FnOnce(Plugin, Handle) -> Result<T>) -> Result<T> {
        let plugin = self.client.inner.plugin;
        let mut get = Padded::<LoadedExecutableGetExecutable>::new();
        get.arguments.loaded_executable = self.executable;
        plugin.call(&mut get)?;
        let answer = ask(plugin, get.arguments.executable);
        let mut destroy = Padded::<ExecutableDestroy>::new();
        destroy.arguments.executable = get.arguments.executable;
        plugin.free(&mut destroy);
        answer
    }

    /// The bytes of the executable, which [`Client::load`] makes an executable of again.
    pub fn serialized(&self) -> Result<Vec<u8>> {
        self.unloaded(serialized)
    }

    /// How many results the program has.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Runs the program on arrays on the first device. The results may still be under way; what reads them waits.
    pub fn execute(&self, arguments: &[&DeviceBuffer]) -> Result<Vec<DeviceBuffer>> {
        Ok(self.execute_replicas(&[arguments])?.swap_remove(0))
    }

    /// As [`execute`](Executable::execute), where the arrays at the places in `kept` stay whole although the program was compiled to
    /// write over them. The other arrays that it writes over are gone afterwards, and reading one is an error.
    pub fn execute_keeping(&self, arguments: &[&DeviceBuffer], kept: &[i64]) -> Result<Vec<DeviceBuffer>> {
        Ok(self.launch(&[arguments], kept)?.swap_remove(0))
    }

    /// Runs each replica on its own arrays, which are on its own device; the results likewise.
    pub fn execute_replicas(&self, arguments: &[&[&DeviceBuffer]]) -> Result<Vec<Vec<DeviceBuffer>>> {
        self.launch(arguments, &[])
    }

    fn launch(&self, arguments: &[&[&DeviceBuffer]], kept: &[i64]) -> Result<Vec<Vec<DeviceBuffer>>> {
        ensure!(
            arguments.len() == self.replicas,
            Structure,
            "pjrt: the program has {} replicas, found arguments for {}",
            self.replicas,
            arguments.len()
        );
        let lists: Vec<Vec<Handle>> =
            arguments.iter().map(|list| list.iter().map(|buffer| buffer.buffer).collect()).collect();
        let list_pointers: Vec<*const Handle> = lists.iter().map(|list| list.as_ptr()).collect();
        let mut results: Vec<Vec<Handle>> = vec![vec![ptr::null_mut(); self.outputs]; self.replicas];
        let result_pointers: Vec<*mut Handle> = results.iter_mut().map(|list| list.as_mut_ptr()).collect();
        let mut options = Padded::<ExecuteOptions>::new();
        options.arguments.non_donatable_input_indices = kept.as_ptr();
        options.arguments.num_non_donatable_input_indices = kept.len();
        let mut execute = Padded::<LoadedExecutableExecute>::new();
        let given = &mut execute.arguments;
        given.executable = self.executable;
        given.options = &raw mut options.arguments;
        given.argument_lists = list_pointers.as_ptr();
        given.num_devices = self.replicas;
        given.num_args = lists[0].len();
        given.output_lists = result_pointers.as_ptr();
        self.client.inner.plugin.call(&mut execute)?;
        // Every buffer is adopted before an error can leave one without an owner.
        let adopt = |list: Vec<Handle>| -> Vec<Result<DeviceBuffer>> {
            list.into_iter().map(|buffer| DeviceBuffer::adopt(&self.client, buffer)).collect()
        };
        let adopted: Vec<Vec<Result<DeviceBuffer>>> = results.into_iter().map(adopt).collect();
        adopted.into_iter().map(|list| list.into_iter().collect()).collect()
    }

    /// Runs the program on arrays of the host, on the first device.
    pub fn call(&self, arguments: &[Tensor]) -> Result<Vec<Tensor>> {
        let buffers = arguments.iter().map(|x| self.client.upload(x, 0)).collect::<Result<Vec<_>>>()?;
        let results = self.execute(&buffers.iter().collect::<Vec<_>>())?;
        results.iter().map(DeviceBuffer::download).collect()
    }
}
