//! Compilation for machines that are not there.

use std::ptr;

use rjax_ir::Result;

use super::abi::{
    Compile, ExecutableCostAnalysis, ExecutableDestroy, ExecutableMemoryStats, ExecutableOptimizedProgram,
    ExecutableSerialize, Handle, Padded, Program, TopologyCreate, TopologyDestroy,
};
use super::client::program;
use super::library::named_values;
use super::options::compile_options;
use super::{Attribute, Plugin};

/// A kind and arrangement of devices, by its name: `v5e:2x2`.
pub struct Topology {
    plugin: Plugin,
    topology: Handle,
}

// SAFETY: topologies are descriptions that do not change.
unsafe impl Send for Topology {}
// SAFETY: as above.
unsafe impl Sync for Topology {}

impl Drop for Topology {
    fn drop(&mut self) {
        let mut destroy = Padded::<TopologyDestroy>::new();
        destroy.arguments.topology = self.topology;
        self.plugin.free(&mut destroy);
    }
}

impl Topology {
    /// The topology of this name; the plugin says which names it knows.
    pub fn new(plugin: Plugin, name: &str) -> Result<Topology> {
        let mut create = Padded::<TopologyCreate>::new();
        create.arguments.topology_name = name.as_ptr().cast();
        create.arguments.topology_name_size = name.len();
        plugin.call(&mut create)?;
        Ok(Topology { plugin, topology: create.arguments.topology })
    }

    /// Compiles StableHLO, a portable artifact or text, for these devices: so many copies of the program, each in so many parts.
    pub fn compile(&self, code: &[u8], replicas: usize, partitions: usize) -> Result<Compiled> {
        let options = compile_options(replicas, partitions);
        let mut code = code.to_vec();
        let program = program(&mut code);
        let mut compile = Padded::<Compile>::new();
        compile.arguments.topology = self.topology;
        compile.arguments.program = &raw const program.arguments;
        compile.arguments.compile_options = options.as_ptr();
        compile.arguments.compile_options_size = options.len();
        self.plugin.call(&mut compile)?;
        Ok(Compiled { plugin: self.plugin, executable: compile.arguments.executable })
    }
}

/// A program compiled for devices that need not be there.
pub struct Compiled {
    plugin: Plugin,
    executable: Handle,
}

// SAFETY: a compiled program does not change.
unsafe impl Send for Compiled {}
// SAFETY: as above.
unsafe impl Sync for Compiled {}

impl Drop for Compiled {
    fn drop(&mut self) {
        let mut destroy = Padded::<ExecutableDestroy>::new();
        destroy.arguments.executable = self.executable;
        self.plugin.free(&mut destroy);
    }
}

/// Bytes that a program needs on its device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemoryStats {
    /// Machine code.
    pub code: i64,
    /// Arguments, with the padding that the device's layout needs.
    pub arguments: i64,
    /// Results.
    pub outputs: i64,
    /// Results that share the memory of arguments.
    pub aliases: i64,
    /// Temporaries.
    pub temporaries: i64,
    /// The most that is in use at a time, where the compiler says it.
    pub peak: i64,
}

impl MemoryStats {
    pub(super) fn to_array(self) -> [i64; 6] {
        [self.code, self.arguments, self.outputs, self.aliases, self.temporaries, self.peak]
    }

    pub(super) fn from_array([code, arguments, outputs, aliases, temporaries, peak]: [i64; 6]) -> MemoryStats {
        MemoryStats { code, arguments, outputs, aliases, temporaries, peak }
    }
}

impl Compiled {
    /// Flops, bytes accessed and more, by the compiler's own names.
    pub fn cost_analysis(&self) -> Result<Vec<(String, Attribute)>> {
        let mut cost = Padded::<ExecutableCostAnalysis>::new();
        cost.arguments.executable = self.executable;
        self.plugin.call(&mut cost)?;
        // SAFETY: the plugin gives this many values, which live as long as the executable.
        Ok(unsafe { named_values(cost.arguments.properties, cost.arguments.num_properties) })
    }

    /// Memory on the device.
    pub fn memory_stats(&self) -> Result<MemoryStats> {
        let mut stats = Padded::<ExecutableMemoryStats>::new();
        stats.arguments.executable = self.executable;
        self.plugin.call(&mut stats)?;
        let a = &stats.arguments;
        Ok(MemoryStats {
            code: a.generated_code_size_in_bytes,
            arguments: a.argument_size_in_bytes,
            outputs: a.output_size_in_bytes,
            aliases: a.alias_size_in_bytes,
            temporaries: a.temp_size_in_bytes,
            peak: a.peak_memory_in_bytes,
        })
    }

    /// The program as the compiler left it, with the name of its format.
    pub fn optimized_program(&self) -> Result<(String, Vec<u8>)> {
        let mut program = Padded::<Program>::new();
        program.arguments.struct_size = size_of::<Program>();
        let mut get = Padded::<ExecutableOptimizedProgram>::new();
        get.arguments.executable = self.executable;
        get.arguments.program = &raw mut program.arguments;
        // The first call says how large the code is, the second one writes it.
        self.plugin.call(&mut get)?;
        let mut code = vec![0u8; program.arguments.code_size];
        program.arguments.code = if code.is_empty() { ptr::null_mut() } else { code.as_mut_ptr() };
        self.plugin.call(&mut get)?;
        // SAFETY: the format is constant data of the plugin.
        let format = unsafe { super::library::text(program.arguments.format, program.arguments.format_size) };
        Ok((format, code))
    }

    /// The executable, to be loaded by [`Client::load`](super::Client::load) on a machine of its kind.
    pub fn serialized(&self) -> Result<Vec<u8>> {
        serialized(self.plugin, self.executable)
    }
}

/// The bytes of an executable.
pub(super) fn serialized(plugin: Plugin, executable: Handle) -> Result<Vec<u8>> {
    let mut serialize = Padded::<ExecutableSerialize>::new();
    serialize.arguments.executable = executable;
    plugin.call(&mut serialize)?;
    let a = &serialize.arguments;
    let bytes = if a.serialized_bytes_size == 0 {
        vec![]
    } else {
        // SAFETY: the plugin gives this many bytes, which live until the deleter is called.
        unsafe { std::slice::from_raw_parts(a.serialized_bytes, a.serialized_bytes_size) }.to_vec()
    };
    if let Some(delete) = a.serialized_executable_deleter {
        // SAFETY: the deleter that came with it, called once.
        unsafe { delete(a.serialized_executable) };
    }
    Ok(bytes)
}
