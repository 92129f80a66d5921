//! The command line: what scripts rely on, and a message for each kind of bad input.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const MUL_SIN: &str = "{ lambda ; a:f32[] b:f32[]. let c:f32[] = mul a b; d:f32[] = sin c in (d,) }\n";

/// An empty folder for one test.
fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the folder of temporary files can be written");
    folder
}

fn file(folder: &std::path::Path, name: &str, contents: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, contents).expect("the folder of temporary files can be written");
    path.to_str().expect("its path is text").to_string()
}

fn rjax_opt(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rjax-opt"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary was built for this test");
    // A program that fails before it reads its input closes the pipe.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    child.wait_with_output().expect("it was started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is text")
}

/// What a good run prints.
fn succeeds(arguments: &[&str], input: &str) -> String {
    let output = rjax_opt(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The message of a bad run, which has status 2 and prints nothing else.
fn fails(arguments: &[&str], input: &str) -> String {
    let output = rjax_opt(arguments, input);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    message.trim_end().strip_prefix("error: ").unwrap_or_else(|| panic!("{message}")).to_string()
}

/// An npz file with arrays of little-endian elements: name, numpy type, shape as Python writes it, bytes.
fn npz(folder: &std::path::Path, name: &str, arrays: &[(&str, &str, &str, &[u8])]) -> String {
    let path = folder.join(name);
    let mut archive = zip::ZipWriter::new(fs::File::create(&path).expect("the folder can be written"));
    for (array, descr, shape, bytes) in arrays {
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        archive.start_file(format!("{array}.npy"), options).expect("the archive can be written");
        let descr = if descr.starts_with('[') { descr.to_string() } else { format!("'{descr}'") };
        let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        let npy = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), bytes].concat();
        archive.write_all(&npy).expect("the archive can be written");
    }
    archive.finish().expect("the archive can be written");
    path.to_str().expect("its path is text").to_string()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn prints_programs_from_files_and_standard_input() {
    let folder = folder("prints");
    let path = file(&folder, "mul_sin.jaxpr", format!("# A comment.\n{MUL_SIN}"));
    assert_eq!(succeeds(&[&path], ""), MUL_SIN);
    assert_eq!(succeeds(&["-"], MUL_SIN), MUL_SIN);
    let out = folder.join("out.jaxpr");
    assert_eq!(succeeds(&["-", "-o", out.to_str().unwrap()], MUL_SIN), "");
    assert_eq!(fs::read_to_string(out).unwrap(), MUL_SIN);
}

#[test]
fn reads_stablehlo() {
    let module = "module @jit_f { func.func public @main(%x: tensor<2xf32>) -> tensor<2xf32> {
        %0 = stablehlo.sine %x : tensor<2xf32>
        return %0 : tensor<2xf32> } }";
    let printed = succeeds(&["-"], module);
    assert_eq!(printed, "{ lambda ; a:f32[2]. let b:f32[2] = sin a in (b,) }\n");
}

#[test]
fn transformations_apply_in_the_order_given() {
    let signature = |arguments: &[&str]| {
        let printed = succeeds(arguments, MUL_SIN);
        printed.split(". let").next().expect("it is not empty").to_string()
    };
    assert_eq!(signature(&["-", "--jvp"]), "{ lambda ; a:f32[] b:f32[] c:f32[] d:f32[]");
    assert_eq!(
        signature(&["-", "--vmap=0,_", "--jvp", "--batch-size=3"]),
        "{ lambda ; a:f32[3] b:f32[] c:f32[3] d:f32[]"
    );
    assert_eq!(
        signature(&["-", "--jvp", "--batch-size=3", "--vmap=_,_,0,_"]),
        "{ lambda ; a:f32[] b:f32[] c:f32[3] d:f32[]"
    );
    assert_eq!(signature(&["-", "--grad=1", "--grad=0,1", "--vjp"]), "{ lambda ; a:f32[] b:f32[] c:f32[] d:f32[]");
    assert_eq!(signature(&["-", "--vmap=0,0:0", "--vmap=1,1"]), "{ lambda ; a:f32[2,2] b:f32[2,2]");
    assert_eq!(
        succeeds(&["-", "--grad=0", "--simplify=strict"], MUL_SIN),
        "{ lambda ; a:f32[] b:f32[]. let c:f32[] = mul a b; d:f32[] = cos c; e:f32[] = mul d b in (e,) }\n"
    );
}

#[test]
fn emits_every_form() {
    let double_negation = "{ lambda ; a:f32[]. let b:f32[] = neg a; c:f32[] = neg b; d:f32[] = sin c in (d,) }";
    let simple = "{ lambda ; a:f32[]. let b:f32[] = sin a in (b,) }\n";
    assert_eq!(succeeds(&["-", "--emit=simplified"], double_negation), simple);
    assert!(succeeds(&["-", "--emit=explain"], double_negation).contains("1 x neg-neg (exact)"));
    assert!(succeeds(&["-", "--emit=nests"], double_negation).contains("= sin in0"));
    assert!(succeeds(&["-", "--emit=kir"], simple).contains("module (arena 0 bytes) {"));
    assert!(succeeds(&["-", "--emit=schedule"], simple).contains("us on one thread, run as a whole"));
    assert!(succeeds(&["-", "--emit=clif"], simple).contains("function u0:0"));
    assert!(succeeds(&["-", "--emit=asm"], simple).contains("; function u0:0: kernel @0"));
    assert_eq!(
        succeeds(&["-", "--emit=cost"], double_negation),
        "{\"before\":{\"flops\":3,\"bytes\":24},\"after\":{\"flops\":1,\"bytes\":8},\"kernels\":1}\n"
    );
    assert!(succeeds(&["-", "--emit=dot"], simple).starts_with("digraph program {\n"));
    assert!(succeeds(&["-", "--emit=statistics"], double_negation).contains("       1        1  neg-neg"));
    let page = succeeds(&["-", "--emit=html"], double_negation);
    assert!(
        page.starts_with("<!doctype html>")
            && page.contains("<code>neg-neg</code>")
            && page.matches("<svg").count() == 2
    );
    // Self-contained: nothing is fetched.
    assert!(!page.contains("http") && !page.contains("src="));
    let given = succeeds(&["-", "--emit=cost", "--no-simplify"], double_negation);
    assert_eq!(given.matches("\"flops\":3").count(), 2, "{given}");
    let output = rjax_opt(&["-", "--grad", "--print-after=grad", "--verify"], MUL_SIN);
    assert!(text(&output.stderr).starts_with("# after grad\n{ lambda ;"));
}

#[test]
fn runs_programs_on_npz_files() {
    let folder = folder("runs");
    let program = file(&folder, "mul_sin.jaxpr", MUL_SIN);
    let scalars = npz(&folder, "in.npz", &[("in0", "<f4", "()", &f32s(&[0.5])), ("in1", "<f4", "()", &f32s(&[2.0]))]);
    let run = ["run", &program, "--inputs", &scalars, "--device", "interp"];
    assert!(succeeds(&run, "").starts_with("out0 = 0.84147"));
    let donating = ["run", &program, "--inputs", &scalars, "--donate", "0,1", "--repeat", "3", "--threads", "1"];
    assert!(succeeds(&donating, "").starts_with("out0 = 0.84147"), "on the CPU");
    let out = folder.join("out.npz");
    let out = out.to_str().unwrap();
    assert_eq!(succeeds(&[&run[..], &["--outputs", out]].concat(), ""), "");
    let negate = file(&folder, "identity.jaxpr", "{ lambda ; a:f32[]. let b:f32[] = neg a in (b,) }");
    let written = fs::read(out).unwrap();
    assert!(written.windows(8).any(|window| window == b"out0.npy"));
    let report = succeeds(&[&run[..], &["--json", "--repeat", "3", "--warmup", "1"]].concat(), "");
    assert!(report.starts_with("{\"device\":\"interp\",\"compile_ms\":"), "{report}");
    let times = report.split("\"run_ms\":[").nth(1).and_then(|rest| rest.split(']').next()).expect("it has times");
    assert_eq!(times.split(',').count(), 3);
    // The batch size comes from the inputs; big-endian elements are numpy's affair, not the program's.
    let batch: Vec<u8> = [1.0f32, 2.0, 3.0].iter().flat_map(|value| value.to_be_bytes()).collect();
    let batch = npz(&folder, "batch.npz", &[("in0", ">f4", "(3,)", &batch)]);
    let batched = succeeds(&["run", &negate, "--vmap=0", "--inputs", &batch, "--device", "interp"], "");
    assert_eq!(batched, "out0 = f32[3]={-1.0 -2.0 -3.0}\n");
    let bf16 = file(
        &folder,
        "bf16.jaxpr",
        "{ lambda ; a:bf16[2] b:bool[1]. let c:bf16[2] = neg a; d:bool[1] = not b in (c, d) }",
    );
    let arrays =
        npz(&folder, "bf16.npz", &[("in0", "<u2", "(2,)", &[0x80, 0x3f, 0, 0x40]), ("in1", "|b1", "(1,)", &[1])]);
    let negated = succeeds(&["run", &bf16, "--inputs", &arrays, "--device", "interp"], "");
    assert_eq!(negated, "out0 = bf16[2]={-1.0 -2.0}\nout1 = bool[1]={False}\n");
    assert_eq!(succeeds(&["run", "-", "--device", "interp"], "{ lambda ; . let in (1:i32,) }"), "out0 = 1:i32\n");
}

#[test]
fn compares_programs() {
    let folder = folder("compares");
    let before = file(&folder, "before.jaxpr", MUL_SIN);
    let after = file(&folder, "after.jaxpr", MUL_SIN.replace("sin", "cos"));
    assert_eq!(succeeds(&["diff", &before, &before], ""), "");
    let output = rjax_opt(&["diff", &before, &after], "");
    assert_eq!((output.status.code(), &*text(&output.stdout)), (Some(1), "- d:f32[] = sin c\n+ d:f32[] = cos c\n"));
}

#[test]
fn says_what_it_is_and_what_there_is() {
    assert!(succeeds(&["--version"], "").starts_with("rjax-opt "));
    assert!(succeeds(&["--help"], "").contains("rjax-opt run model.jaxpr --inputs in.npz"));
    assert!(succeeds(&["devices"], "").contains("interp  the reference interpreter\n"));
}

#[test]
fn bad_programs_are_named_with_line_and_column() {
    let folder = folder("bad-programs");
    assert_eq!(fails(&["/no/such/file.jaxpr"], ""), "/no/such/file.jaxpr: No such file or directory (os error 2)");
    let unknown = file(&folder, "unknown.jaxpr", MUL_SIN.replace("sin", "sine"));
    assert_eq!(
        fails(&[&unknown], ""),
        format!(
            "{unknown}:1:62: unknown op \"sine\"; did you mean \"sin\" or \"sinh\"?
   |
 1 | {{ lambda ; a:f32[] b:f32[]. let c:f32[] = mul a b; d:f32[] = sine c in (d,) }}
   |                                                              ^^^^"
        )
    );
    let types = fails(&["-"], "{ lambda ; a:f32[2] b:f32[3]. let c:f32[2] = add a b in (c,) }");
    assert!(types.starts_with("<stdin>:1:46: add: "), "{types}");
    assert!(types.contains("f32[2]") && types.contains("f32[3]"), "{types}");
    assert!(fails(&["-"], "").starts_with("<stdin>:1:1: expected `{` at the start of a program, found the end"));
    let binary = file(&folder, "binary", [0xff, 0xfe, 0x00]);
    assert_eq!(fails(&[&binary], ""), format!("{binary}: not a program: neither text nor StableHLO bytecode"));
}

#[test]
fn bad_transformations_are_named() {
    assert!(fails(&["-", "--grad=x"], MUL_SIN).starts_with("invalid value 'x' for '--grad[=<I,J…>]': `x` is not"));
    assert!(fails(&["-", "--simplify=wild"], MUL_SIN).contains("`wild` is none of strict, default, fast"));
    assert!(fails(&["-", "--vmap=0,z"], MUL_SIN).contains("`z` is neither an axis nor `_`"));
    assert!(fails(&["-", "--print-after=nothing"], MUL_SIN).contains("[possible values: jvp, vjp, grad,"));
    assert!(fails(&["-", "--emit=poetry"], MUL_SIN).contains("[possible values: program, simplified,"));
    assert_eq!(fails(&["-", "--vmap=0"], MUL_SIN), "--vmap: vmap: in_axes: found 1 entries for 2 inputs");
    let grad = fails(&["-", "--grad=7"], MUL_SIN);
    assert!(grad.starts_with("--grad: grad: ") && grad.contains('7'), "{grad}");
    let grad = fails(&["-", "--grad"], "{ lambda ; a:f32[2]. let b:f32[2] = sin a in (b,) }");
    assert!(grad.starts_with("--grad: grad: ") && grad.contains("f32[2]"), "{grad}");
    let grad = fails(&["-", "--grad=0"], "{ lambda ; a:i32[]. let b:i32[] = neg a in (b,) }");
    assert!(grad.starts_with("--grad: grad: ") && grad.contains("i32[]"), "{grad}");
}

#[test]
fn bad_inputs_are_named() {
    let folder = folder("bad-inputs");
    let program = file(&folder, "program.jaxpr", "{ lambda ; a:f32[2] b:bf16[]. let c:f32[2] = sin a in (c, b) }");
    let ones = f32s(&[1.0, 1.0]);
    let run = |path: &str, more: &[&str]| {
        fails(&[&["run", &program, "--inputs", path, "--device", "interp"], more].concat(), "")
    };
    let case = |name: &str, arrays: &[(&str, &str, &str, &[u8])]| run(&npz(&folder, name, arrays), &[]);
    let signature = "the program has 2 inputs (f32[2], bf16[])";
    assert_eq!(fails(&["run", &program, "--device", "interp"], ""), format!("{signature}, but no --inputs are given"));
    assert_eq!(run("/no/such.npz", &[]), "/no/such.npz: No such file or directory (os error 2)");
    assert!(run(&program, &[]).starts_with(&format!("{program}: not an npz file: ")));
    let good: [(&str, &str, &str, &[u8]); 2] = [("in0", "<f4", "(2,)", &ones), ("in1", "<u2", "()", &[0, 0])];
    let one = npz(&folder, "one.npz", &good[..1]);
    assert_eq!(run(&one, &[]), format!("{signature}, but {one} has 1"));
    let gap = npz(&folder, "gap.npz", &good[1..]);
    assert_eq!(run(&gap, &[]), format!("{gap}: there is no array in0, but in1 is there"));
    assert_eq!(
        case("shape.npz", &[("in0", "<f4", "(1, 2)", &ones), good[1]]),
        "in0: the array has shape [1,2], the program wants f32[2]"
    );
    assert_eq!(
        case("dtype.npz", &[("in0", "<f8", "(2,)", &[0; 16]), good[1]]),
        "in0: the array has numpy type <f8, the program wants f32[2], stored as f4"
    );
    assert_eq!(
        case("half.npz", &[good[0], ("in1", "<f2", "()", &[0, 0])]),
        "in1: the array has numpy type <f2, the program wants bf16[], stored as u2 or V2"
    );
    assert_eq!(
        case("short.npz", &[("in0", "<f4", "(2,)", &ones[..5]), good[1]]),
        "in0: the array has 5 bytes, f32[2] needs 8"
    );
    assert!(
        case("structured.npz", &[("in0", "[('x', '<f4')]", "(2,)", &ones), good[1]])
            .contains("cannot read the array's header")
    );
    let path = npz(&folder, "good.npz", &good);
    assert_eq!(run(&path, &["--repeat", "0"]), "--repeat: expected at least 1, found 0");
    let device = fails(&["run", &program, "--inputs", &path, "--device", "abacus"], "");
    assert_eq!(device, "device: there is no device `abacus`; known are cpu, interp, cuda, rocm, pjrt");
    let device = fails(&["run", &program, "--inputs", &path, "--device", "cuda"], "");
    assert_eq!(device, "device: `cuda` cannot be used: this version of rjax has no CUDA backend");
    let batches =
        npz(&folder, "batches.npz", &[("in0", "<f4", "(2, 2)", &f32s(&[0.0; 4])), ("in1", "<u2", "(3,)", &[0; 6])]);
    assert_eq!(
        run(&batches, &["--vmap=0,0"]),
        "--vmap: the inputs have batches of different sizes: in1 has 3 along axis 0, in0 has 2"
    );
    assert_eq!(run(&path, &["--vmap=3,_"]), "--vmap: input in0 has shape [2], so it has no axis 3");
    assert!(run(&path, &["--outputs", "/no/such/out.npz"]).starts_with("/no/such/out.npz: "));
}

#[test]
fn pages_of_the_book_are_what_the_tool_prints() {
    for page in ["ops", "rules"] {
        let path = format!("{}/../docs/{page}.md", env!("CARGO_MANIFEST_DIR"));
        let (found, wanted) = (succeeds(&[page], ""), fs::read_to_string(path).expect("the book is there"));
        let differs = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
        assert!(found == wanted, "run `rjax-opt {page} > docs/{page}.md`; it would change {differs:?}");
    }
}

/// `docs/simplification.md` shows commands, as `$ rjax-opt …`, and what they print.
#[test]
fn the_book_shows_what_commands_print() {
    let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
    let page = fs::read_to_string(format!("{book}/simplification.md")).expect("the book is there");
    let mut checked = 0;
    for block in page.split("```text\n$ rjax-opt ").skip(1) {
        let (command, rest) = block.split_once('\n').expect("a command and what it prints");
        let (wanted, _) = rest.split_once("```").expect("the block ends");
        let command = command.replace("docs/", &format!("{book}/"));
        let arguments: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(succeeds(&arguments, ""), wanted, "rjax-opt {command}");
        checked += 1;
    }
    assert!(checked >= 3, "only {checked} commands");
}

#[test]
fn bench_prints_a_line_for_each_program() {
    let folder = folder("bench");
    let sum = file(&folder, "sum.jaxpr", "{ lambda ; a:f32[4,8]. let b:f32[4] = reduce_sum[axes=(1,)] a in (b,) }");
    let given = file(&folder, "given.jaxpr", "{ lambda ; a:i32[2]. let b:i32[2] = neg a in (b,) }");
    npz(&folder, "given.npz", &[("in0", "<i4", "(2,)", &[1, 0, 0, 0, 2, 0, 0, 0])]);
    let table = succeeds(&["bench", &sum, &given, "--repeat", "2", "--threads", "1"], "");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("program ") && lines[0].contains("GFLOP/s"), "{table}");
    assert!(lines[1].starts_with(&sum) && lines[2].starts_with(&given), "{table}");
    assert_eq!(lines[1].split_whitespace().count(), 8, "{table}");

    assert_eq!(fails(&["bench", &sum, "--threads", "0"], ""), "--threads: expected at least 1, found 0");
    npz(&folder, "sum.npz", &[("in0", "<f4", "(1,)", &[0; 4])]);
    assert!(rjax_opt(&["bench", &sum], "").status.code() == Some(2), "inputs of another shape");
    assert_eq!(fails(&["bench", &sum, &given, "--trace", "t"], ""), "--trace: expected one program, found 2");
    let message = "--trace: only calls on `cpu` are observed; found --device interp";
    assert_eq!(fails(&["run", &sum, "--device", "interp", "--trace", "t"], ""), message);
}

/// Every stage of a few programs, for a processor without extensions, is what the snapshots have, and the same twice.
#[test]
fn stages_are_as_in_the_snapshots() {
    insta::glob!("programs/*.jaxpr", |path| {
        let path = path.to_str().expect("its path is text");
        for form in ["simplified", "nests", "kir", "clif"] {
            let show = || {
                let mut command = Command::new(env!("CARGO_BIN_EXE_rjax-opt"));
                command.args([path, &format!("--emit={form}")]).env("RJAX_CPU", "portable");
                let output = command.output().expect("the binary was built for this test");
                assert!(output.status.success(), "{path} {form}: {}", text(&output.stderr));
                text(&output.stdout)
            };
            let shown = show();
            assert_eq!(show(), shown, "{path} {form}: differs from run to run");
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(form, shown.trim_end());
            });
        }
    });
}
