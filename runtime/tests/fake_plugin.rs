//! What the client makes of plugins that misbehave, and that it frees what it was given: with a plugin that is written for that
//! (`fake_plugin.c`) and compiled here by `cc`. Where there is no C compiler this says that it skipped.

use std::path::PathBuf;
use std::process::Command;

use rjax_ir::{ErrorKind, Tensor};
use rjax_runtime::pjrt::{Attribute, Client, Plugin, Topology};

/// A plugin made with these definitions, in a folder that is removed in the end.
struct Fake {
    folder: PathBuf,
    library: PathBuf,
}

impl Drop for Fake {
    fn drop(&mut self) {
        // Libraries stay loaded when their files are gone; what cannot be removed stays in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn fake(name: &str, definitions: &[&str]) -> Option<Fake> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake_plugin.c");
    made(name, source, definitions)
}

fn made(name: &str, source: &str, definitions: &[&str]) -> Option<Fake> {
    if !cfg!(all(unix, target_pointer_width = "64")) || Command::new("cc").arg("--version").output().is_err() {
        eprintln!("skipped: {name}: there is no C compiler (cc)");
        return None;
    }
    let folder = std::env::temp_dir().join(format!("rjax-fake-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("there is room");
    let library = folder.join(format!("{name}.so"));
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
    let output = cc.args(definitions.iter().map(|d| format!("-D{d}"))).output().expect("cc was there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(Fake { folder, library })
}

impl Fake {
    fn load(&self) -> Plugin {
        Plugin::load(&self.library).expect("the plugin loads")
    }

    /// The message that loading ends with, without the path.
    fn refused(&self) -> String {
        let message = Plugin::load(&self.library).expect_err("it cannot be used").message;
        self.without_path(&message)
    }

    fn without_path(&self, message: &str) -> String {
        let start = format!("pjrt: {}: ", self.library.display());
        message.strip_prefix(&start).unwrap_or_else(|| panic!("{message} does not begin with {start}")).to_string()
    }
}

/// How many things of the plugin are alive.
fn live(plugin: Plugin) -> i64 {
    let attributes = plugin.attributes().expect("the plugin tells of itself");
    match attributes.iter().find(|(name, _)| name == "live") {
        Some((_, Attribute::Integer(live))) => *live,
        found => panic!("the plugin tells how much is alive: {found:?}"),
    }
}

#[test]
fn what_a_plugin_makes_is_freed() {
    let Some(fake) = fake("works", &[]) else { return };
    let plugin = fake.load();
    assert_eq!((plugin.api_version(), plugin.stablehlo_version()), ((0, 81), Some((1, 13, 0))));
    let client = Client::new(plugin).expect("it has a device");
    assert_eq!((client.platform().expect("it has a name").as_str(), client.devices()), ("fake", 1));
    let x = Tensor::from_vec([2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let executable = client.compile(b"anything", 1).expect("it compiles");
    for _ in 0..3 {
        let results = executable.call(std::slice::from_ref(&x)).expect("it runs");
        assert_eq!(results.iter().map(Tensor::to_vec::<f32>).collect::<Vec<_>>(), [x.to_vec::<f32>()]);
    }
    assert!(live(plugin) > 0);
    drop(executable);
    drop(client);
    assert_eq!(live(plugin), 0);
    // The same file is the same plugin.
    assert_eq!(fake.load().path(), plugin.path());
}

#[test]
fn refused_programs_and_full_memory_are_errors_that_leave_nothing_behind() {
    let Some(fake) = fake("refuses", &[]) else { return };
    let plugin = fake.load();
    let client = Client::new(plugin).expect("it has a device");
    let before = live(plugin);
    let error = client.compile(b"a refused op", 1).expect_err("it is refused");
    let expected = "PJRT_Client_Compile: unimplemented (code 12): stablehlo.refused is not supported";
    assert_eq!((error.kind, fake.without_path(&error.message).as_str()), (ErrorKind::Unsupported, expected));
    let advice = "; the device's memory is full: use smaller batches, donate arguments, or drop arrays that are on it";
    let error = client.upload(&Tensor::from_vec([1 << 20], vec![0.0f32; 1 << 20]), 0).expect_err("it is too large");
    let expected = "PJRT_Client_BufferFromHostBuffer: resource exhausted (code 8): Out of memory allocating the array";
    assert_eq!(fake.without_path(&error.message), format!("{expected}{advice}"));
    let error = client.compile(b"large", 1).expect("it compiles").call(&[Tensor::scalar(1.0f32)]).expect_err("is full");
    let expected = "PJRT_LoadedExecutable_Execute: resource exhausted (code 8): Out of memory while running";
    assert_eq!(fake.without_path(&error.message), format!("{expected}{advice}"));
    let error = client.compile(b"anything", 2).expect_err("there is one device").message;
    assert_eq!(error, "pjrt: 2 replicas need as many devices, and there are 1");
    assert_eq!(live(plugin), before);
}

#[test]
fn topologies_are_those_that_the_plugin_knows() {
    let Some(fake) = fake("topologies", &[]) else { return };
    let plugin = fake.load();
    let error = Topology::new(plugin, "v5e:3x3").err().expect("there is none");
    let expected = "PJRT_TopologyDescription_Create: invalid argument (code 3): there is no such topology";
    assert_eq!((error.kind, fake.without_path(&error.message).as_str()), (ErrorKind::Unsupported, expected));
    let topology = Topology::new(plugin, "fake:1x1").expect("there is one");
    let compiled = topology.compile(b"anything", 1, 1).expect("it compiles");
    let error = compiled.memory_stats().expect_err("it has no such function").message;
    let expected = "PJRT_Executable_GetCompiledMemoryStats: this plugin (PJRT 0.81) does not have it";
    assert_eq!(fake.without_path(&error), expected);
    drop((compiled, topology));
    assert_eq!(live(plugin), 0);
}

#[test]
fn versions_that_do_not_fit_are_refused() {
    let Some(old) = fake("old", &["MINOR=40"]) else { return };
    let wants = "and this client 0.54 or newer; use a newer plugin";
    assert_eq!(old.refused(), format!("the plugin speaks PJRT 0.40, {wants}"));
    let Some(new) = fake("new", &["MAJOR=1", "MINOR=2"]) else { return };
    assert_eq!(
        new.refused(),
        "the plugin speaks PJRT 1.2, which this client does not know; use an older plugin or a newer rjax"
    );
    let Some(short) = fake("short", &["FUNCTIONS=30"]) else { return };
    let error = short.load().attributes().map(|_| Client::new(short.load()).expect("it has a device"));
    let error = error.expect("it tells of itself").compile(b"anything", 1).expect_err("it cannot").message;
    assert_eq!(
        short.without_path(&error),
        "PJRT_LoadedExecutable_GetExecutable: this plugin (PJRT 0.81) does not have it"
    );
}

#[test]
fn libraries_that_are_no_plugins_are_refused() {
    let Some(empty) = fake("empty", &["NO_TABLE"]) else { return };
    assert_eq!(empty.refused(), "GetPjrtApi gave no function table");
    let folder = std::env::temp_dir().join(format!("rjax-other-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("there is room");
    let source = folder.join("other.c");
    std::fs::write(&source, "int other(void) { return 1; }\n").expect("there is room");
    let other = made("other", source.to_str().expect("is Unicode"), &[]).expect("the compiler was there");
    assert_eq!(other.refused(), "this is no PJRT plugin: it has no function GetPjrtApi");
    std::fs::remove_dir_all(&folder).expect("it is ours");
}

#[test]
fn plugins_that_cannot_start_say_why() {
    let text = "Internal error when accessing libtpu multi-process lockfile";
    let Some(locked) = fake("locked", &[&format!("INITIALIZE=\"{text}\"")]) else { return };
    assert_eq!(
        locked.refused(),
        format!(
            "PJRT_Plugin_Initialize: internal (code 13): {text}; another process has libtpu loaded \
             (ALLOW_MULTIPLE_LIBTPU_LOAD=1 permits several)"
        )
    );
    let text = "TPU initialization failed: No jellyfish device found.";
    let Some(without) = fake("without", &[&format!("CLIENT=\"{text}\"")]) else { return };
    let error = Client::new(without.load()).err().expect("there is no TPU").message;
    assert_eq!(
        without.without_path(&error),
        format!("PJRT_Client_Create: not found (code 5): {text}; this machine has no TPU, or another process uses it")
    );
    assert_eq!(live(without.load()), 0);
    let Some(none) = fake("none", &["DEVICES=0"]) else { return };
    let error = Client::new(none.load()).err().expect("there is no device").message;
    assert_eq!(none.without_path(&error), "the plugin has no device on this machine");
    assert_eq!(live(none.load()), 0);
}
