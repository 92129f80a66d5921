//! The C interface of PJRT plugins, as far as it is used here.
//!
//! A plugin hands out a table of functions, each of which takes one struct by pointer. Structs begin with their size, by which a
//! plugin tells how much of a struct its caller knows: too little is refused, more than the plugin knows is not. So every
//! struct is passed with zeroed room to spare. Functions are only ever added at the end of the table.

use std::ffi::{c_char, c_int, c_void};
use std::mem;

/// Something that the plugin owns.
pub type Handle = *mut c_void;

/// The head of the function table; the functions follow.
#[repr(C)]
pub struct Api {
    pub struct_size: usize,
    pub extensions: Handle,
    pub version_size: usize,
    pub version_extensions: Handle,
    pub major: c_int,
    pub minor: c_int,
}

/// A function of the table. `Error_Destroy` and `Error_Message` return nothing; the others an error or null.
pub type Function = unsafe extern "C" fn(*mut c_void) -> Handle;

/// Words that a struct may grow by before a newer plugin refuses it.
const SPARE: usize = 8;

/// A struct with room to spare behind it.
#[repr(C)]
pub struct Padded<T> {
    pub arguments: T,
    spare: [usize; SPARE],
}

/// The arguments of a function.
///
/// # Safety
/// `SLOT` is the place in the table of the function that takes this struct, and all bits zero are a valid value.
pub unsafe trait Arguments: Sized {
    /// The place in the table.
    const SLOT: usize;
    /// The name of the function.
    const NAME: &'static str;
    /// The names and offsets of the fields.
    #[cfg_attr(not(test), allow(dead_code, reason = "compared with the C header in the test"))]
    const FIELDS: &'static [(&'static str, usize)];
}

impl<T> Padded<T> {
    /// All zero but for the size.
    pub fn new() -> Padded<T> {
        // SAFETY: the structs of this file consist of integers and pointers, for which zero is a value.
        let mut padded: Padded<T> = unsafe { mem::zeroed() };
        // SAFETY: every struct of this file begins with its size.
        unsafe { *(&raw mut padded).cast::<usize>() = mem::size_of::<Padded<T>>() };
        padded
    }
}

macro_rules! arguments {
    ($($slot:literal $function:literal $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        #[repr(C)]
        pub struct $name {
            pub struct_size: usize,
            pub extensions: Handle,
            $(pub $field: $type,)*
        }

        // SAFETY: the slot is the position in the header's table, which the test of this crate compares.
        unsafe impl Arguments for $name {
            const SLOT: usize = $slot;
            const NAME: &'static str = $function;
            const FIELDS: &'static [(&'static str, usize)] =
                &[$((stringify!($field), mem::offset_of!($name, $field)),)*];
        }
    )*
        /// Slot, name, size and fields of every function, to be compared with the C header.
        #[cfg(test)]
        pub const ALL: &[(usize, &str, usize, &[(&str, usize)])] =
            &[$(($slot, $function, mem::size_of::<$name>(), $name::FIELDS),)*];
    };
}

arguments! {
    0 "PJRT_Error_Destroy" ErrorDestroy { error: Handle }
    1 "PJRT_Error_Message" ErrorMessage { error: Handle, message: *const c_char, message_size: usize }
    2 "PJRT_Error_GetCode" ErrorGetCode { error: Handle, code: c_int }
    3 "PJRT_Plugin_Initialize" PluginInitialize {}
    4 "PJRT_Plugin_Attributes" PluginAttributes { attributes: *const NamedValue, num_attributes: usize }
    5 "PJRT_Event_Destroy" EventDestroy { event: Handle }
    8 "PJRT_Event_Await" EventAwait { event: Handle }
    10 "PJRT_Client_Create" ClientCreate {
        create_options: *const NamedValue,
        num_options: usize,
        kv_get_callback: Handle,
        kv_get_user_arg: Handle,
        kv_put_callback: Handle,
        kv_put_user_arg: Handle,
        client: Handle,
        kv_try_get_callback: Handle,
        kv_try_get_user_arg: Handle,
    }
    11 "PJRT_Client_Destroy" ClientDestroy { client: Handle }
    12 "PJRT_Client_PlatformName" ClientPlatformName {
        client: Handle,
        platform_name: *const c_char,
        platform_name_size: usize,
    }
    16 "PJRT_Client_AddressableDevices" ClientAddressableDevices {
        client: Handle,
        addressable_devices: *const Handle,
        num_addressable_devices: usize,
    }
    20 "PJRT_Client_Compile" ClientCompile {
        client: Handle,
        program: *const Program,
        compile_options: *const u8,
        compile_options_size: usize,
        executable: Handle,
    }
    22 "PJRT_Client_BufferFromHostBuffer" BufferFromHostBuffer {
        client: Handle,
        data: *const c_void,
        type_: c_int,
        dims: *const i64,
        num_dims: usize,
        byte_strides: *const i64,
        num_byte_strides: usize,
        host_buffer_semantics: c_int,
        device: Handle,
        memory: Handle,
        device_layout: Handle,
        done_with_host_buffer: Handle,
        buffer: Handle,
    }
    40 "PJRT_Executable_Destroy" ExecutableDestroy { executable: Handle }
    44 "PJRT_Executable_NumOutputs" ExecutableNumOutputs { executable: Handle, num_outputs: usize }
    46 "PJRT_Executable_GetCostAnalysis" ExecutableCostAnalysis {
        executable: Handle,
        num_properties: usize,
        properties: *const NamedValue,
    }
    48 "PJRT_Executable_OptimizedProgram" ExecutableOptimizedProgram { executable: Handle, program: *mut Program }
    49 "PJRT_Executable_Serialize" ExecutableSerialize {
        executable: Handle,
        serialized_bytes: *const u8,
        serialized_bytes_size: usize,
        serialized_executable: Handle,
        serialized_executable_deleter: Option<unsafe extern "C" fn(Handle)>,
    }
    50 "PJRT_LoadedExecutable_Destroy" LoadedExecutableDestroy { executable: Handle }
    51 "PJRT_LoadedExecutable_GetExecutable" LoadedExecutableGetExecutable {
        loaded_executable: Handle,
        executable: Handle,
    }
    55 "PJRT_LoadedExecutable_Execute" LoadedExecutableExecute {
        executable: Handle,
        options: *mut ExecuteOptions,
        argument_lists: *const *const Handle,
        num_devices: usize,
        num_args: usize,
        output_lists: *const *mut Handle,
        device_complete_events: *mut Handle,
        execute_device: Handle,
    }
    56 "PJRT_Executable_DeserializeAndLoad" DeserializeAndLoad {
        client: Handle,
        serialized_executable: *const u8,
        serialized_executable_size: usize,
        loaded_executable: Handle,
        overridden_serialized_compile_options: *const u8,
        overridden_serialized_compile_options_size: usize,
    }
    58 "PJRT_Buffer_Destroy" BufferDestroy { buffer: Handle }
    59 "PJRT_Buffer_ElementType" BufferElementType { buffer: Handle, type_: c_int }
    60 "PJRT_Buffer_Dimensions" BufferDimensions { buffer: Handle, dims: *const i64, num_dims: usize }
    70 "PJRT_Buffer_ToHostBuffer" BufferToHostBuffer {
        src: Handle,
        host_layout: *const MemoryLayout,
        dst: *mut c_void,
        dst_size: usize,
        event: Handle,
    }
    72 "PJRT_Buffer_ReadyEvent" BufferReadyEvent { buffer: Handle, event: Handle }
    82 "PJRT_TopologyDescription_Create" TopologyCreate {
        topology_name: *const c_char,
        topology_name_size: usize,
        create_options: *const NamedValue,
        num_options: usize,
        topology: Handle,
    }
    83 "PJRT_TopologyDescription_Destroy" TopologyDestroy { topology: Handle }
    89 "PJRT_Compile" Compile {
        topology: Handle,
        program: *const Program,
        compile_options: *const u8,
        compile_options_size: usize,
        client: Handle,
        executable: Handle,
    }
    96 "PJRT_Executable_GetCompiledMemoryStats" ExecutableMemoryStats {
        executable: Handle,
        generated_code_size_in_bytes: i64,
        argument_size_in_bytes: i64,
        output_size_in_bytes: i64,
        alias_size_in_bytes: i64,
        temp_size_in_bytes: i64,
        host_generated_code_size_in_bytes: i64,
        host_argument_size_in_bytes: i64,
        host_output_size_in_bytes: i64,
        host_alias_size_in_bytes: i64,
        host_temp_size_in_bytes: i64,
        peak_memory_in_bytes: i64,
    }
}

/// A name with a value of one of several types.
#[repr(C)]
pub struct NamedValue {
    pub struct_size: usize,
    pub extensions: Handle,
    pub name: *const c_char,
    pub name_size: usize,
    pub kind: c_int,
    pub value: Value,
    pub value_size: usize,
}

/// The value, by the kind beside it.
#[repr(C)]
#[derive(Clone, Copy)]
pub union Value {
    pub string: *const c_char,
    pub integer: i64,
    pub integers: *const i64,
    pub float: f32,
    pub boolean: bool,
}

/// A program in a format.
#[repr(C)]
pub struct Program {
    pub struct_size: usize,
    pub extensions: Handle,
    pub code: *mut u8,
    pub code_size: usize,
    pub format: *const c_char,
    pub format_size: usize,
}

/// Settings of one execution; all zero is what is wanted.
#[repr(C)]
pub struct ExecuteOptions {
    pub struct_size: usize,
    pub extensions: Handle,
    pub send_callbacks: Handle,
    pub recv_callbacks: Handle,
    pub num_send_ops: usize,
    pub num_recv_ops: usize,
    pub launch_id: c_int,
    pub non_donatable_input_indices: *const i64,
    pub num_non_donatable_input_indices: usize,
    pub context: Handle,
    pub call_location: *const c_char,
    pub num_tasks: usize,
    pub task_ids: *mut c_int,
    pub incarnation_ids: *mut i64,
}

/// How an array lies in memory: tiled, or by the strides of its axes.
#[repr(C)]
pub struct MemoryLayout {
    pub struct_size: usize,
    pub extensions: Handle,
    pub tiled: Tiled,
    pub kind: c_int,
}

/// A tiled layout; without tiles it is an order of the axes, the one that varies fastest first.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Tiled {
    pub struct_size: usize,
    pub extensions: Handle,
    pub minor_to_major: *const i64,
    pub minor_to_major_size: usize,
    pub tile_dims: *const i64,
    pub tile_dim_sizes: *const usize,
    pub num_tiles: usize,
}

/// The names of error codes.
pub fn code_name(code: c_int) -> &'static str {
    match code {
        1 => "cancelled",
        2 => "unknown",
        3 => "invalid argument",
        4 => "deadline exceeded",
        5 => "not found",
        6 => "already exists",
        7 => "permission denied",
        8 => "resource exhausted",
        9 => "failed precondition",
        10 => "aborted",
        11 => "out of range",
        12 => "unimplemented",
        13 => "internal",
        14 => "unavailable",
        15 => "data loss",
        16 => "unauthenticated",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the header says of a struct: its size and the offsets of its fields.
    fn header_layout(header: &str, fields: &[(&str, &[(&str, usize)])]) -> Option<String> {
        let folder = std::env::temp_dir().join(format!("rjax-pjrt-abi-{}", std::process::id()));
        std::fs::create_dir_all(&folder).ok()?;
        let mut source = format!("#include <stdio.h>\n#include <stddef.h>\n#include \"{header}\"\nint main(void) {{\n");
        for (name, fields) in fields {
            source.push_str(&format!("printf(\"{name} %zu\", sizeof({name}));\n"));
            for (field, _) in *fields {
                let field = field.trim_end_matches('_');
                source.push_str(&format!("printf(\" %zu\", offsetof({name}, {field}));\n"));
            }
            source.push_str("printf(\"\\n\");\n");
        }
        source.push_str("return 0; }\n");
        let (file, program) = (folder.join("layout.c"), folder.join("layout"));
        std::fs::write(&file, source).ok()?;
        let compiled = std::process::Command::new("cc").arg(&file).arg("-o").arg(&program).output().ok()?;
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let output = std::process::Command::new(&program).output().ok()?;
        let _ = std::fs::remove_dir_all(&folder);
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// With `RJAX_PJRT_HEADER=pjrt_c_api.h` the declarations are compared with the header, which may be older and have fewer
    /// fields at the end of a struct.
    #[test]
    fn layouts_are_those_of_the_c_header() {
        let Ok(header) = std::env::var("RJAX_PJRT_HEADER") else {
            eprintln!("skipped: RJAX_PJRT_HEADER names no C header to compare with");
            return;
        };
        let structs: Vec<(String, &[(&str, usize)])> =
            ALL.iter().map(|(_, name, _, fields)| (format!("{name}_Args"), *fields)).collect();
        let named: Vec<(&str, &[(&str, usize)])> = structs.iter().map(|(name, f)| (name.as_str(), *f)).collect();
        let layout = header_layout(&header, &named).expect("a C compiler is there");
        for (line, (_, name, size, fields)) in layout.lines().zip(ALL) {
            let numbers: Vec<usize> = line.split(' ').skip(1).map(|n| n.parse().expect("a number")).collect();
            assert!(
                numbers[0] <= *size && size - numbers[0] < 16,
                "{name}: {} bytes, the header has {}",
                size,
                numbers[0]
            );
            let offsets: Vec<usize> = fields.iter().map(|(_, offset)| *offset).collect();
            assert_eq!(numbers[1..], offsets, "{name}");
        }
        let text = std::fs::read_to_string(header).expect("the header can be read");
        let table = text.split("_PJRT_API_STRUCT_FIELD(").skip(2).map(|part| part.split(')').next().unwrap_or(""));
        let table: Vec<&str> = table.collect();
        for (slot, name, ..) in ALL {
            assert_eq!(table.get(*slot), Some(name), "slot {slot}");
        }
        assert_eq!((mem::size_of::<Api>(), mem::size_of::<NamedValue>(), mem::size_of::<Program>()), (40, 56, 48));
        assert_eq!(mem::size_of::<ExecuteOptions>(), 112);
    }
}
