//! Compilation ahead of time in a process of its own.
//!
//! A compiler that hangs or aborts takes its process with it, and libtpu does both on some programs. So the library asks a
//! *helper* to compile: an executable that is run as `HELPER compile-ahead FOLDER` and calls [`serve`]. `rjax-opt` is one.
//! The folder holds the request and, afterwards, the outcome; it is removed in any case. The helper ends itself when
//! its time is up, even if the process that started it is gone.
//!
//! Without a helper the compiler runs in this process, with neither protection.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rjax_ir::{Error, ErrorKind, Result, bail, ensure};

use super::report::{decode, encode};
use super::{Plugin, Report, Topology};

/// How a program is compiled ahead of time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AheadOptions {
    /// The shared library of the plugin.
    pub plugin: PathBuf,
    /// The kind and arrangement of devices: `v5e:2x2`.
    pub topology: String,
    /// How many replicas of the program run at the same time; collectives are between them.
    pub replicas: usize,
    /// In how many parts each replica is, as the shardings of its inputs say.
    pub partitions: usize,
    /// The executable that compiles in a process of its own; `None` to compile in this one.
    pub helper: Option<PathBuf>,
    /// How long the helper may take.
    pub time_limit: Duration,
}

impl AheadOptions {
    /// For the devices of a topology, with libtpu, in the helper that [`find_helper`] finds, for at most two minutes.
    pub fn tpu(topology: &str) -> Result<AheadOptions> {
        check_tpu_topology(topology)?;
        Ok(AheadOptions {
            plugin: super::find_libtpu()?,
            topology: topology.to_string(),
            replicas: 1,
            partitions: 1,
            helper: find_helper(),
            time_limit: Duration::from_secs(120),
        })
    }

    /// Compiles StableHLO, a portable artifact or text.
    pub fn compile(&self, code: &[u8]) -> Result<Report> {
        match &self.helper {
            Some(helper) => in_child(helper, self, code),
            None => here(&self.plugin, &self.topology, [self.replicas, self.partitions], code),
        }
    }
}

/// The generations of TPUs that libtpu compiles for.
const GENERATIONS: [&str; 7] = ["v2", "v3", "v4", "v5e", "v5p", "v6e", "tpu7x"];

/// Refuses what cannot name an arrangement of TPUs, before anything is loaded.
pub fn check_tpu_topology(name: &str) -> Result<()> {
    let (kind, extents) = name.split_once(':').unwrap_or((name, ""));
    let known = GENERATIONS.join(", ");
    ensure!(
        GENERATIONS.contains(&kind),
        Parameter,
        "tpu: `{name}` names no generation of TPUs; write GENERATION:AxB, as in v5e:2x2, where the generation is one of {known}"
    );
    let parts: Vec<Option<usize>> = extents.split('x').map(|part| part.parse().ok()).collect();
    let whole = (2..=3).contains(&parts.len()) && parts.iter().all(|part| part.is_some_and(|extent| extent > 0));
    ensure!(
        whole,
        Parameter,
        "tpu: `{name}` names no arrangement of devices; write its extents after the generation, as in {kind}:2x2"
    );
    Ok(())
}

/// An executable that serves as the helper: the one that `RJAX_OPT` names, or `rjax-opt` beside the running program, in the
/// folder above it (where tests and examples are built), or on the search path.
pub fn find_helper() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("RJAX_OPT") {
        return Some(path.into()).filter(|path: &PathBuf| !path.as_os_str().is_empty());
    }
    let name = format!("rjax-opt{}", std::env::consts::EXE_SUFFIX);
    let own = std::env::current_exe().ok();
    let beside = own.iter().flat_map(|path| path.ancestors().skip(1).take(2)).map(Path::to_path_buf);
    let search = std::env::var_os("PATH").unwrap_or_default();
    beside.chain(std::env::split_paths(&search)).map(|folder| folder.join(&name)).find(|path| path.is_file())
}

fn here(plugin: &Path, topology: &str, [replicas, partitions]: [usize; 2], code: &[u8]) -> Result<Report> {
    let topology = Topology::new(Plugin::load(plugin)?, topology)?;
    Report::of(&topology.compile(code, replicas, partitions)?)
}

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rjax-ahead-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        // Not a folder that someone else has put there.
        fs::create_dir(&path).map_err(|e| failed(&path, &e))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's folder for such things.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{}: {error}", path.display()))
}

fn in_child(helper: &Path, options: &AheadOptions, code: &[u8]) -> Result<Report> {
    let folder = Folder::new()?;
    let file = |name: &str| folder.0.join(name);
    let write = |name: &str, bytes: &[u8]| fs::write(file(name), bytes).map_err(|e| failed(&file(name), &e));
    let Some(plugin) = options.plugin.to_str() else {
        bail!(Io, "pjrt: {}: the path is not Unicode", options.plugin.display())
    };
    let seconds = options.time_limit.as_secs().saturating_add(1);
    write("program", code)?;
    let request = format!("{plugin}\n{}\n{}\n{}\n{seconds}\n", options.topology, options.replicas, options.partitions);
    write("request", request.as_bytes())?;
    let said = File::create(file("said")).map_err(|e| failed(&file("said"), &e))?;
    let also = said.try_clone().map_err(|e| failed(&file("said"), &e))?;
    // The devices need not be here, so the helper neither asks the cloud where it is nor claims them.
    let started = Command::new(helper)
        .arg("compile-ahead")
        .arg(&folder.0)
        .env("TPU_SKIP_MDS_QUERY", "1")
        .env("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
        .env("TPU_LOG_DIR", folder.0.join("logs"))
        .stdin(Stdio::null())
        .stdout(also)
        .stderr(said)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(e) => bail!(Io, "pjrt: the helper {} cannot be started: {e}; RJAX_OPT names another", helper.display()),
    };
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if start.elapsed() < options.time_limit => thread::sleep(Duration::from_millis(5)),
            Ok(None) | Err(_) => {
                // It may have ended by itself in the meantime.
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
        }
    };
    if let Some(outcome) = fs::read(file("outcome")).ok().and_then(|bytes| decode(&bytes)) {
        return outcome;
    }
    let (plugin, topology) = (options.plugin.display(), &options.topology);
    match status {
        None => bail!(
            Io,
            "pjrt: {plugin}: no answer within {:?} of compiling for {topology}; the compiler was stopped",
            options.time_limit
        ),
        Some(status) => {
            let last = last_words(&file("said"));
            bail!(Io, "pjrt: {plugin}: the compiler for {topology} ended without an answer ({status}): {last}")
        }
    }
}

/// The end of what a process said, in one line.
fn last_words(path: &Path) -> String {
    let mut text = vec![];
    if let Ok(mut file) = File::open(path) {
        let length = file.metadata().map_or(0, |meta| meta.len());
        let read = file.seek(SeekFrom::Start(length.saturating_sub(1 << 16))).and_then(|_| file.read_to_end(&mut text));
        if read.is_err() {
            text.clear();
        }
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // A stack trace may follow the reason.
    let reason = lines.iter().find(|line| line.starts_with('F') && line.contains("] "));
    match reason.or(lines.last()) {
        Some(line) => line.chars().take(400).collect(),
        None => "it said nothing".to_string(),
    }
}

/// What the helper does with the folder that it is given: compiles, and leaves the outcome there.
pub fn serve(folder: &Path) -> Result<()> {
    let read = |name: &str| fs::read(folder.join(name)).map_err(|e| failed(&folder.join(name), &e));
    let (request, code) = (read("request")?, read("program")?);
    let request = String::from_utf8_lossy(&request).into_owned();
    let lines: Vec<&str> = request.lines().collect();
    let [plugin, topology, replicas, partitions, seconds] = lines[..] else {
        bail!(Structure, "compile-ahead: {}: the request has {} lines, not 5", folder.display(), lines.len())
    };
    let number =
        |text: &str| text.parse::<u32>().map_err(|e| Error::new(ErrorKind::Structure, format!("`{text}`: {e}")));
    end_after(number(seconds)?);
    let counts = [number(replicas)? as usize, number(partitions)? as usize];
    let outcome = here(Path::new(plugin), topology, counts, &code);
    let (partial, whole) = (folder.join("partial"), folder.join("outcome"));
    let written = fs::write(&partial, encode(&outcome)).and_then(|()| fs::rename(&partial, &whole));
    written.map_err(|e| failed(&whole, &e))
}

/// Ends this process after some seconds, whatever it does then.
fn end_after(seconds: u32) {
    #[cfg(unix)]
    // SAFETY: sets the process's alarm clock and nothing else.
    unsafe {
        libc::alarm(seconds);
    }
    #[cfg(not(unix))]
    let _ = seconds;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_topologies_are_checked_before_anything_is_loaded() {
        for good in ["v5e:1x1", "v5p:2x2x1", "tpu7x:2x2x1"] {
            check_tpu_topology(good).expect(good);
        }
        let error = |name| check_tpu_topology(name).expect_err(name).message;
        let form =
            "write GENERATION:AxB, as in v5e:2x2, where the generation is one of v2, v3, v4, v5e, v5p, v6e, tpu7x";
        assert_eq!(error(""), format!("tpu: `` names no generation of TPUs; {form}"));
        assert_eq!(error("v5litepod-8"), format!("tpu: `v5litepod-8` names no generation of TPUs; {form}"));
        let extents = "names no arrangement of devices; write its extents after the generation, as in";
        for bad in ["v5e", "v5e:4", "v5e:2x", "v5e:0x2", "v5e:2x2x1x1", "v5e:axb"] {
            assert_eq!(error(bad), format!("tpu: `{bad}` {extents} v5e:2x2"));
        }
    }

    fn options(helper: &str, seconds: u64) -> AheadOptions {
        AheadOptions {
            plugin: "no/such/libtpu.so".into(),
            topology: "v5e:1x1".into(),
            replicas: 1,
            partitions: 1,
            helper: Some(helper.into()),
            time_limit: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn helpers_that_are_missing_or_give_no_answer_are_errors() {
        let error = |helper: &str| options(helper, 60).compile(b"").expect_err(helper).message;
        let missing = error("no/such/helper");
        assert!(missing.starts_with("pjrt: the helper no/such/helper cannot be started: "), "{missing}");
        assert!(missing.ends_with("; RJAX_OPT names another"), "{missing}");
        if cfg!(unix) {
            assert_eq!(
                error("true"),
                "pjrt: no/such/libtpu.so: the compiler for v5e:1x1 ended without an answer (exit status: 0): it said nothing"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_helper_that_hangs_is_stopped() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new().expect("there is room");
        let helper = folder.0.join("sleeper");
        fs::write(&helper, "#!/bin/sh\nexec sleep 60\n").expect("there is room");
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let start = Instant::now();
        let error = options(helper.to_str().expect("is Unicode"), 1).compile(b"").expect_err("it sleeps").message;
        let expected =
            "pjrt: no/such/libtpu.so: no answer within 1s of compiling for v5e:1x1; the compiler was stopped";
        assert_eq!(error, expected);
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn the_helper_reports_its_error_in_the_folder() {
        let folder = Folder::new().expect("there is room");
        fs::write(folder.0.join("program"), b"").expect("there is room");
        fs::write(folder.0.join("request"), "no/such/libtpu.so\nv5e:1x1\n1\n1\n600\n").expect("there is room");
        serve(&folder.0).expect("the outcome can be written");
        let outcome = decode(&fs::read(folder.0.join("outcome")).expect("it is there")).expect("it is whole");
        assert!(outcome.expect_err("there is no plugin").message.starts_with("pjrt: no/such/libtpu.so: "));
    }
}
