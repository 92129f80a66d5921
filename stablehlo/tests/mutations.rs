//! Damaged artifacts and texts: an error or another module, but no panic, and no memory out of proportion to the input.
//!
//! `RJAX_MUTATIONS=ROUNDS` and `RJAX_MUTATIONS_SEED=N` make a longer run with other damage.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

use rjax_stablehlo::{bytecode, import, text};

/// Counts what this thread asks for, and remembers the largest request.
struct Counting;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

#[allow(unsafe_code, reason = "an allocator is unsafe by definition; this one forwards to the system's")]
// SAFETY: every call is passed on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A splat constant may stand for this many elements of sixteen bytes; nothing else is large.
const LARGEST_SPLAT: usize = 16 << 28;

/// Numbers that are the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// The number of rounds and the first random number: what the environment says, or the test.
fn plan(rounds: usize, seed: u64) -> (usize, Random) {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().expect("a number"));
    let rounds = number("RJAX_MUTATIONS").map_or(rounds, |rounds| rounds as usize);
    (rounds, Random(number("RJAX_MUTATIONS_SEED").unwrap_or(seed)))
}

fn artifacts() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the data folder is there")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "mlirbc"))
        .collect();
    files.sort();
    files.iter().map(|path| std::fs::read(path).expect("a readable file")).collect()
}

/// One of several ways to damage bytes.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random, other: &[u8]) {
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.below(256) as u8,
            2 => {
                bytes.truncate(at.max(1));
            }
            3 => bytes.insert(at, random.below(256) as u8),
            4 => {
                let from = random.below(other.len());
                let length = random.below(32).min(other.len() - from).min(bytes.len() - at);
                bytes[at..at + length].copy_from_slice(&other[from..from + length]);
            }
            _ => {
                let end = (at + random.below(16)).min(bytes.len());
                if end - at < bytes.len() {
                    bytes.drain(at..end);
                }
            }
        }
    }
}

#[test]
fn damaged_bytecode() {
    let artifacts = artifacts();
    let (rounds, mut random) = plan(12_000, 1);
    let mut modules = 0;
    for round in 0..rounds {
        let mut bytes = artifacts[round % artifacts.len()].clone();
        let other = &artifacts[random.below(artifacts.len())];
        mutate(&mut bytes, &mut random, other);
        LARGEST.set(0);
        let Ok(module) = bytecode::read(&bytes) else { continue };
        assert!(LARGEST.get() <= LARGEST_SPLAT, "round {round}: {} bytes at once", LARGEST.get());
        modules += 1;
        if let Ok(written) = bytecode::write(&module, bytecode::Version::DEFAULT) {
            bytecode::read(&written).unwrap_or_else(|e| panic!("round {round}: {e}"));
        }
        let _ = text::print(&module);
    }
    assert!(modules > 100, "most damage should be noticed late: {modules} modules");
}

#[test]
fn damaged_text() {
    let texts: Vec<Vec<u8>> = artifacts()
        .iter()
        .filter_map(|bytes| text::print(&bytecode::read(bytes).ok()?).ok())
        .map(String::into_bytes)
        .collect();
    let (rounds, mut random) = plan(6_000, 2);
    let mut modules = 0;
    for round in 0..rounds {
        let mut bytes = texts[round % texts.len()].clone();
        let other = &texts[random.below(texts.len())];
        mutate(&mut bytes, &mut random, other);
        LARGEST.set(0);
        let source = String::from_utf8_lossy(&bytes).into_owned();
        if text::read(&source, "damaged").is_ok() {
            modules += 1;
        }
        assert!(LARGEST.get() <= LARGEST_SPLAT, "round {round}: {} bytes at once", LARGEST.get());
    }
    assert!(modules > 20, "some damage should go unnoticed: {modules} modules");
}

/// Modules that were read, written in either form and read again, import as the same programs.
#[test]
fn modules_read_back_the_same() {
    for bytes in artifacts() {
        let module = bytecode::read(&bytes).expect("a good artifact");
        let program = import(&module).expect("a good artifact").program;
        for version in [bytecode::Version(1, 1, 0), bytecode::Version::DEFAULT, bytecode::Version::NEWEST] {
            let written = bytecode::write(&module, version).expect("it was read");
            let again = bytecode::read(&written).expect("it was written");
            assert_eq!(import(&again).expect("it was imported before").program, program);
            assert_eq!(bytecode::write(&again, version).expect("it was read"), written, "writing is stable");
        }
        let printed = text::print(&module).expect("it was read");
        let again = text::read(&printed, "printed").unwrap_or_else(|e| panic!("{e}\n{printed}"));
        assert_eq!(import(&again).expect("it was imported before").program, program);
    }
}

/// With `RJAX_STABLEHLO_DATA=FOLDER` the same for every module there.
#[test]
fn modules_of_a_folder_read_back_the_same() {
    let Some(folder) = std::env::var_os("RJAX_STABLEHLO_DATA") else {
        println!("skipped: RJAX_STABLEHLO_DATA names no folder");
        return;
    };
    let mut folders = vec![std::path::PathBuf::from(folder)];
    let (mut count, mut failed) = (0, vec![]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).expect("a readable file");
            let module = match path.extension().and_then(|e| e.to_str()) {
                Some("mlirbc") => bytecode::read(&bytes),
                Some("mlir") => text::read(&String::from_utf8_lossy(&bytes), "a file"),
                _ => continue,
            };
            let Ok(module) = module else { continue };
            let Ok(program) = import(&module) else { continue };
            let check = || -> Result<(), String> {
                let printed = text::print(&module).map_err(|e| e.to_string())?;
                let again = text::read(&printed, "printed").map_err(|e| e.to_string())?;
                let same = import(&again).map_err(|e| e.to_string())?.program == program.program;
                if !same {
                    return Err("the text is another program".into());
                }
                // CHLO has no portable form; its operations become others on export.
                match bytecode::write(&module, bytecode::Version::NEWEST) {
                    Err(e) if e.message.contains("chlo.") => Ok(()),
                    written => {
                        let again = bytecode::read(&written.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
                        let same = import(&again).map_err(|e| e.to_string())?.program == program.program;
                        if same { Ok(()) } else { Err("the bytecode is another program".into()) }
                    }
                }
            };
            count += 1;
            if let Err(e) = check() {
                failed.push(format!("{}: {e}", path.display()));
            }
        }
    }
    println!("{count} modules");
    assert!(failed.is_empty(), "{} of {count} failed:\n{}", failed.len(), failed[..failed.len().min(10)].join("\n"));
}
