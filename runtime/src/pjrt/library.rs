//! Loading plugins, and finding them.

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rjax_ir::{Error, ErrorKind, Result, bail};

use super::abi::{
    self, Api, Arguments, ErrorDestroy, ErrorGetCode, ErrorMessage, EventAwait, EventDestroy, Function, Handle,
    NamedValue, Padded, PluginAttributes, PluginInitialize,
};

/// A value that a plugin tells of itself or of a program.
#[derive(Clone, PartialEq, Debug)]
pub enum Attribute {
    /// A text.
    String(String),
    /// A number.
    Integer(i64),
    /// Numbers, such as the parts of a version.
    Integers(Vec<i64>),
    /// A number.
    Float(f32),
    /// Yes or no.
    Boolean(bool),
}

/// A loaded plugin. Copies refer to the same one, which stays loaded until the process ends.
#[derive(Clone, Copy)]
pub struct Plugin {
    pub(super) api: &'static Api,
    /// The path it was loaded from.
    path: &'static str,
}

// SAFETY: the table is constant, and PJRT functions may be called from any thread.
unsafe impl Send for Plugin {}
// SAFETY: as above.
unsafe impl Sync for Plugin {}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.api_version();
        write!(f, "Plugin({}, PJRT {major}.{minor})", self.path)
    }
}

/// The plugins that have been loaded. They cannot be unloaded: their threads go on.
static LOADED: Mutex<Option<HashMap<PathBuf, Plugin>>> = Mutex::new(None);

/// Bytes that a plugin owns, as text.
///
/// # Safety
/// The pointer refers to that many bytes, or the size is 0.
pub(super) unsafe fn text(bytes: *const c_char, size: usize) -> String {
    if bytes.is_null() || size == 0 {
        return String::new();
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), size) };
    String::from_utf8_lossy(bytes).into_owned()
}

/// The code of errors about memory.
const RESOURCE_EXHAUSTED: c_int = 8;

/// The name of the table's function for a struct, for messages.
fn failed(path: &str, function: &str, what: &str) -> Error {
    Error::new(ErrorKind::Io, format!("pjrt: {path}: {function}: {what}"))
}

impl Plugin {
    /// Loads a plugin and initialises it; one that is loaded already is returned again.
    pub fn load(path: impl AsRef<Path>) -> Result<Plugin> {
        let path = path.as_ref();
        let shown = path.display().to_string();
        let canonical = match path.canonicalize() {
            Ok(canonical) => canonical,
            Err(e) => bail!(Io, "pjrt: {shown}: {e}"),
        };
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = loaded.get_or_insert_with(HashMap::new);
        if let Some(plugin) = loaded.get(&canonical) {
            return Ok(*plugin);
        }
        if canonical.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libtpu")) {
            prepare_for_libtpu();
        }
        let api = open(&canonical, &shown)?;
        let plugin = Plugin { api, path: Box::leak(shown.into_boxed_str()) };
        let (major, minor) = plugin.api_version();
        if major != 0 {
            bail!(
                Unsupported,
                "pjrt: {}: the plugin speaks PJRT {major}.{minor}, which this client does not know; use an older plugin or a newer rjax",
                plugin.path
            );
        }
        // The first minor version that has every function used here.
        if minor < 54 {
            bail!(
                Unsupported,
                "pjrt: {}: the plugin speaks PJRT {major}.{minor}, and this client 0.54 or newer; use a newer plugin",
                plugin.path
            );
        }
        plugin.call(&mut Padded::<PluginInitialize>::new())?;
        loaded.insert(canonical, plugin);
        Ok(plugin)
    }

    /// Where it was loaded from.
    pub fn path(&self) -> &str {
        self.path
    }

    /// The version of the C interface: major and minor.
    pub fn api_version(&self) -> (i32, i32) {
        (self.api.major, self.api.minor)
    }

    /// What the plugin tells of itself.
    pub fn attributes(&self) -> Result<Vec<(String, Attribute)>> {
        let mut call = Padded::<PluginAttributes>::new();
        self.call(&mut call)?;
        // SAFETY: the plugin gives this many values, which live as long as it does.
        Ok(unsafe { named_values(call.arguments.attributes, call.arguments.num_attributes) })
    }

    /// The newest version of StableHLO that the plugin reads.
    pub fn stablehlo_version(&self) -> Option<(u32, u32, u32)> {
        let attributes = self.attributes().ok()?;
        let (_, value) = attributes.into_iter().find(|(name, _)| name == "stablehlo_current_version")?;
        match value {
            Attribute::Integers(parts) => match parts[..] {
                [major, minor, patch] => Some((major.try_into().ok()?, minor.try_into().ok()?, patch.try_into().ok()?)),
                _ => None,
            },
            Attribute::String(_) | Attribute::Integer(_) | Attribute::Float(_) | Attribute::Boolean(_) => None,
        }
    }

    /// Whether the table of this plugin reaches to a function.
    pub(super) fn has<T: Arguments>(&self) -> bool {
        let end = size_of::<Api>() + (T::SLOT + 1) * size_of::<Function>();
        self.api.struct_size >= end && !self.slot(T::SLOT).is_null()
    }

    fn slot(&self, slot: usize) -> Handle {
        // SAFETY: callers check the size of the table; the functions follow its head.
        unsafe { *std::ptr::from_ref(self.api).add(1).cast::<Handle>().add(slot) }
    }

    /// Calls the function that takes this struct.
    pub(super) fn call<T: Arguments>(&self, arguments: &mut Padded<T>) -> Result<()> {
        if !self.has::<T>() {
            let (major, minor) = self.api_version();
            let what = format!("this plugin (PJRT {major}.{minor}) does not have it");
            return Err(failed(self.path, T::NAME, &what));
        }
        // SAFETY: the slot holds the function that takes this struct, and the table has that slot.
        let error = unsafe {
            let function = std::mem::transmute::<Handle, Function>(self.slot(T::SLOT));
            function((&raw mut *arguments).cast())
        };
        if error.is_null() { Ok(()) } else { Err(self.take_error(error, T::NAME)) }
    }

    /// Frees something, of which the function returns no error worth hearing.
    pub(super) fn free<T: Arguments>(&self, arguments: &mut Padded<T>) {
        let _ = self.call(arguments);
    }

    /// Calls a function that returns nothing.
    fn call_void<T: Arguments>(&self, arguments: &mut Padded<T>) {
        if !self.has::<T>() {
            return;
        }
        // SAFETY: as in `call`, for the two functions without a result.
        unsafe {
            let function =
                std::mem::transmute::<Handle, unsafe extern "C" fn(*mut std::ffi::c_void)>(self.slot(T::SLOT));
            function((&raw mut *arguments).cast());
        }
    }

    fn take_error(&self, error: Handle, function: &str) -> Error {
        let mut message = Padded::<ErrorMessage>::new();
        message.arguments.error = error;
        self.call_void(&mut message);
        // SAFETY: the message lives as long as the error.
        let what = unsafe { text(message.arguments.message, message.arguments.message_size) };
        let mut code = Padded::<ErrorGetCode>::new();
        code.arguments.error = error;
        let code = if self.call(&mut code).is_ok() { code.arguments.code } else { 2 };
        let mut destroy = Padded::<ErrorDestroy>::new();
        destroy.arguments.error = error;
        self.call_void(&mut destroy);
        let advice = if what.contains("No jellyfish device found") {
            "; this machine has no TPU, or another process uses it"
        } else if what.contains("multi-process lockfile") {
            "; another process has libtpu loaded (ALLOW_MULTIPLE_LIBTPU_LOAD=1 permits several)"
        } else if code == RESOURCE_EXHAUSTED {
            "; the device's memory is full: use smaller batches, donate arguments, or drop arrays that are on it"
        } else {
            ""
        };
        let what = format!("{} (code {code}): {}{advice}", abi::code_name(code), what.trim());
        let mut error = failed(self.path, function, &what);
        // Unimplemented, and arguments that the plugin cannot do, are the plugin's limits.
        if matches!(code, 3 | 12) {
            error.kind = ErrorKind::Unsupported;
        }
        error
    }

    /// Waits for an event and frees it.
    pub(super) fn wait(&self, event: Handle) -> Result<()> {
        if event.is_null() {
            return Ok(());
        }
        let mut wait = Padded::<EventAwait>::new();
        wait.arguments.event = event;
        let result = self.call(&mut wait);
        let mut destroy = Padded::<EventDestroy>::new();
        destroy.arguments.event = event;
        self.free(&mut destroy);
        result
    }
}

/// The values of a list that a plugin owns.
///
/// # Safety
/// The pointer refers to that many values.
pub(super) unsafe fn named_values(values: *const NamedValue, count: usize) -> Vec<(String, Attribute)> {
    let mut found = vec![];
    if values.is_null() {
        return found;
    }
    for i in 0..count {
        // SAFETY: the caller's promise. Newer plugins' values would be larger, and then say so in their size.
        let value = unsafe {
            let step = (*values).struct_size.max(size_of::<NamedValue>());
            &*values.cast::<u8>().add(i * step).cast::<NamedValue>()
        };
        // SAFETY: the kind says which member is there.
        let attribute = unsafe {
            match value.kind {
                0 => Attribute::String(text(value.value.string, value.value_size)),
                1 => Attribute::Integer(value.value.integer),
                2 => Attribute::Integers(match value.value.integers.is_null() {
                    true => vec![],
                    false => std::slice::from_raw_parts(value.value.integers, value.value_size).to_vec(),
                }),
                3 => Attribute::Float(value.value.float),
                _ => Attribute::Boolean(value.value.boolean),
            }
        };
        // SAFETY: names are as long as they say.
        found.push((unsafe { text(value.name, value.name_size) }, attribute));
    }
    found
}

#[cfg(unix)]
fn open(path: &Path, shown: &str) -> Result<&'static Api> {
    use std::os::unix::ffi::OsStrExt;
    let Ok(name) = CString::new(path.as_os_str().as_bytes()) else { bail!(Io, "pjrt: {shown}: the path has a NUL") };
    let complain = || {
        // SAFETY: dlerror gives null or a text that is there until the next call on this thread.
        let message = unsafe { libc::dlerror() };
        if message.is_null() {
            return "unknown reason".to_string();
        }
        // SAFETY: as above.
        unsafe { std::ffi::CStr::from_ptr(message) }.to_string_lossy().into_owned()
    };
    // SAFETY: loading runs the library's initialisers, which is what loading a plugin means.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        bail!(Io, "pjrt: {shown}: the library cannot be loaded: {}", complain());
    }
    // SAFETY: the handle is valid, the name ends in NUL.
    let symbol = unsafe { libc::dlsym(handle, c"GetPjrtApi".as_ptr()) };
    if symbol.is_null() {
        // SAFETY: nothing of the library is in use.
        unsafe { libc::dlclose(handle) };
        bail!(Unsupported, "pjrt: {shown}: this is no PJRT plugin: it has no function GetPjrtApi");
    }
    // SAFETY: the function of this name takes nothing and returns the table or null.
    let api = unsafe { std::mem::transmute::<Handle, extern "C" fn() -> *const Api>(symbol)() };
    if api.is_null() {
        bail!(Io, "pjrt: {shown}: GetPjrtApi gave no function table");
    }
    // SAFETY: the table is constant data of the library, which is never unloaded.
    Ok(unsafe { &*api })
}

#[cfg(not(unix))]
fn open(_: &Path, shown: &str) -> Result<&'static Api> {
    let _: Option<(CString, c_int)> = None;
    bail!(Unsupported, "pjrt: {shown}: plugins can be loaded on Unix only")
}

/// Without a TPU libtpu would ask the cloud's metadata server for minutes where it is.
fn prepare_for_libtpu() {
    let has_tpu = ["/dev/accel0", "/dev/vfio/0"].iter().any(|device| Path::new(device).exists());
    if has_tpu || std::env::var_os("TPU_SKIP_MDS_QUERY").is_some() {
        return;
    }
    let (name, value): (&std::ffi::CStr, &std::ffi::CStr) = (c"TPU_SKIP_MDS_QUERY", c"1");
    #[cfg(unix)]
    // SAFETY: both are C strings. Rust's own accesses to the environment are not concurrent with the loading of a first
    // plugin, which is serialised here; libtpu reads the variable while it is loaded.
    unsafe {
        let set: c_int = libc::setenv(name.as_ptr(), value.as_ptr(), 1);
        debug_assert_eq!(set, 0);
    }
    #[cfg(not(unix))]
    let _ = (name, value);
}

/// The plugin that `RJAX_PJRT_PLUGIN` names, else libtpu where it is found.
pub fn find_plugin() -> Result<PathBuf> {
    match std::env::var_os("RJAX_PJRT_PLUGIN") {
        Some(path) => Ok(path.into()),
        None => find_libtpu(),
    }
}

/// libtpu: where `TPU_LIBRARY_PATH` says, in the system's library folders, or in a Python environment.
pub fn find_libtpu() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("TPU_LIBRARY_PATH") {
        return Ok(path.into());
    }
    let mut candidates: Vec<PathBuf> =
        ["/lib/libtpu.so", "/usr/lib/libtpu.so", "/usr/local/lib/libtpu.so"].map(PathBuf::from).into();
    let mut prefixes: Vec<PathBuf> =
        ["VIRTUAL_ENV", "CONDA_PREFIX"].iter().filter_map(std::env::var_os).map(PathBuf::from).collect();
    if let Some(home) = std::env::var_os("HOME") {
        prefixes.push(Path::new(&home).join(".local"));
    }
    prefixes.extend(["/usr/local", "/usr"].map(PathBuf::from));
    for prefix in prefixes {
        let Ok(entries) = std::fs::read_dir(prefix.join("lib")) else { continue };
        let mut pythons: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        pythons.sort();
        let is_python = |path: &&PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("python"));
        for python in pythons.iter().filter(is_python).rev() {
            candidates.extend(["site-packages", "dist-packages"].map(|p| python.join(p).join("libtpu/libtpu.so")));
        }
    }
    match candidates.into_iter().find(|path| path.exists()) {
        Some(path) => Ok(path),
        None => bail!(
            Io,
            "pjrt: libtpu.so was not found; install it (`pip install libtpu`) or set TPU_LIBRARY_PATH or RJAX_PJRT_PLUGIN"
        ),
    }
}
