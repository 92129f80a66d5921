//! The command line.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use rjax_codegen_tpu::Sharding;
use rjax_stablehlo::bytecode::Version;

use crate::check::Kind;
use crate::transform::{Transform, Transforms};

const EXAMPLES: &str = "\
Examples:
  rjax-opt model.jaxpr                          check the program and print it
  rjax-opt model.jaxpr --grad=0 --emit=dot      the gradient for input 0 as a graph for graphviz
  rjax-opt model.jaxpr --vmap=0,_ --jvp         batch input 0 at its axis 0, share input 1, then differentiate
  rjax-opt run model.jaxpr --inputs in.npz --outputs out.npz
  echo '{ lambda ; a:f32[]. let b:f32[] = sin a in (b,) }' | rjax-opt - --jvp
  rjax-opt model.jaxpr --vjp --emit=explain      what simplification does to the derivative
  rjax-opt model.jaxpr --emit=html -o model.html   the program before and after, in a browser
  rjax-opt bench model.mlirbc other.jaxpr        compile and run times, GFLOP/s, GB/s
  rjax-opt model.mlirbc --target=tpu:v5e:1x1 --emit=hlo   what libtpu makes of it, on any machine
  rjax-opt diff before.jaxpr after.jaxpr
  rjax-opt check --kind run,vjp,jvp --jobs 2 conformance/jax
";

/// Reads an array program, transforms it, and shows or runs it.
#[derive(Parser, Debug)]
#[command(name = "rjax-opt", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub show: Show,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Runs a program on arrays from an npz file.
    Run(Run),
    /// Times programs and prints a table.
    Bench(Bench),
    /// Prints what can be done with each op, as a page of Markdown.
    Ops,
    /// Runs conformance cases and compares; exit status 1 where one fails.
    Check(Check),
    /// Prints the rules of simplification and their classes, as a page of Markdown.
    Rules,
    /// Lists devices: what is there, and why something is not.
    Devices,
    /// Compiles what a request in a folder asks for: how programs that use rjax compile in a process of its own.
    #[command(hide = true)]
    CompileAhead {
        /// The folder of the request.
        folder: PathBuf,
    },
    /// Compares two programs by structure; exit status 1 where they differ.
    Diff {
        /// The first program; `-` for standard input.
        before: String,
        /// The second program.
        after: String,
    },
}

/// What to read and do to it before it is shown or run.
#[derive(ClapArgs, Debug)]
pub struct Source {
    /// The program: a file, or `-` for standard input.
    #[arg(value_name = "FILE", required = true)]
    pub file: Option<String>,
    #[command(flatten)]
    pub transforms: Transforms,
    /// Compiles and shows the program as it is given, without simplification.
    #[arg(long)]
    pub no_simplify: bool,
    /// Checks every program in between, not only the one that is read.
    #[arg(long)]
    pub verify: bool,
    /// Prints the program after each transformation of this name on standard error; `simplify` and `plan` also on the way to code.
    #[arg(long, value_name = "PASS", value_parser = clap::builder::PossibleValuesParser::new(Transform::names()))]
    pub print_after: Vec<String>,
    /// The number of lanes of `--vmap` where no inputs are given that say it.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub batch_size: usize,
}

#[derive(ClapArgs, Debug)]
pub struct Show {
    #[command(flatten)]
    pub source: Source,
    /// What to print.
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Form::Program)]
    pub emit: Form,
    /// Where to write instead of standard output.
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<String>,
    /// The version of VHLO that `--emit=stablehlo-bytecode` is written for; readers take it and all newer ones do.
    #[arg(long, value_name = "X.Y.Z", default_value_t = Version::DEFAULT, value_parser = vhlo_version)]
    pub vhlo_version: Version,
    /// What to compile for: `cpu`, or `tpu:TOPOLOGY` (`tpu:v5e:2x2`) with libtpu, where no TPU need be there.
    #[arg(long, value_name = "T", default_value = "cpu", value_parser = target)]
    pub target: Target,
    /// The mesh of devices: names and extents of its axes, along which the program's collectives go.
    #[arg(long, value_name = "NAME=N,…", value_delimiter = ',', value_parser = mesh_axis)]
    pub mesh: Vec<(Arc<str>, usize)>,
    /// How inputs are split over the mesh: for each axis of each input the mesh's axis, `_` for none. Inputs that are not named are whole.
    /// The program is then one for all devices together.
    #[arg(long, value_name = "A,B:…", value_delimiter = ':', value_parser = sharding, requires = "mesh")]
    pub shard: Vec<Sharding>,
    /// How many seconds the compiler of `--target` may take.
    #[arg(long, value_name = "S", default_value_t = 120.0, value_parser = seconds)]
    pub time_limit: f64,
}

/// What programs are compiled for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// This processor.
    Cpu,
    /// TPUs of this topology.
    Tpu(String),
}

fn target(text: &str) -> Result<Target, String> {
    match text.split_once(':') {
        None if text == "cpu" => Ok(Target::Cpu),
        Some(("tpu", topology)) => {
            let checked = rjax_runtime::pjrt::check_tpu_topology(topology);
            checked.map(|()| Target::Tpu(topology.to_string())).map_err(|e| e.message)
        }
        None | Some(_) => {
            Err(format!("there is no target `{text}`; known are cpu and tpu:TOPOLOGY, as in tpu:v5e:2x2"))
        }
    }
}

fn mesh_axis(text: &str) -> Result<(Arc<str>, usize), String> {
    let axis = text.split_once('=').and_then(|(name, extent)| Some((name.into(), extent.parse().ok()?)));
    axis.filter(|(_, extent)| *extent > 0)
        .ok_or_else(|| format!("`{text}` is not an axis and its extent, as in data=4"))
}

fn sharding(text: &str) -> Result<Sharding, String> {
    let axis = |name: &str| (name != "_").then(|| name.into());
    Ok(text.split(',').filter(|name| !name.is_empty()).map(axis).collect())
}

fn seconds(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|s: &f64| (0.0..1e6).contains(s));
    value.ok_or_else(|| format!("`{text}` is not a number of seconds"))
}

fn vhlo_version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| format!("`{text}` is not a version such as {}", Version::DEFAULT))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Form {
    /// The program as a jaxpr.
    Program,
    /// The program simplified.
    Simplified,
    /// Its ops in groups that are computed together.
    Nests,
    /// The loop IR of its kernels, and the schedule that calls them.
    Kir,
    /// What its kernels cost, how threads share them, and the schedule that calls them.
    Schedule,
    /// The Cranelift IR of its functions.
    Clif,
    /// Its machine code for this processor.
    Asm,
    /// StableHLO as text.
    Stablehlo,
    /// StableHLO as a portable artifact.
    StablehloBytecode,
    /// A graph for graphviz.
    Dot,
    /// A page that draws the program before and after simplification, its fusion groups, cost and the rules that were used.
    Html,
    /// Flops and bytes before and after simplification, and how many kernels are launched, as JSON; for `--target=tpu:…` the
    /// compiler's own cost analysis.
    Cost,
    /// The memory that the program needs on the devices of `--target=tpu:…`, as JSON.
    Memory,
    /// What the compiler of `--target=tpu:…` makes of it, in the notation of HLO.
    Hlo,
    /// The executable for the devices of `--target=tpu:…`.
    Executable,
    /// The rewrites of simplification that survived, by rule and class.
    Explain,
    /// How often each rule of simplification matched, and how often what it built is in the result.
    Statistics,
}

#[derive(ClapArgs, Debug)]
pub struct Run {
    #[command(flatten)]
    pub source: Source,
    /// The inputs `in0`, `in1`, …; not needed for a program without inputs.
    #[arg(long, value_name = "IN.npz")]
    pub inputs: Option<String>,
    /// Where to write the outputs `out0`, `out1`, …; without it they are printed.
    #[arg(long, value_name = "OUT.npz")]
    pub outputs: Option<String>,
    /// What to run on: `interp`, `cpu`, or `pjrt:PATH` with a PJRT plugin.
    #[arg(long, value_name = "D", default_value = "cpu")]
    pub device: String,
    /// How often to run and time the program.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub repeat: usize,
    /// How often to run it before that, untimed.
    #[arg(long, value_name = "W", default_value_t = 0)]
    pub warmup: usize,
    /// How many threads kernels may use; default: all cores.
    #[arg(long, value_name = "T")]
    pub threads: Option<usize>,
    /// Inputs that the program may overwrite.
    #[arg(long, value_name = "I,J…", value_delimiter = ',')]
    pub donate: Vec<usize>,
    /// Prints one JSON object with the times instead of the outputs.
    #[arg(long)]
    pub json: bool,
    /// Where to write what each thread did in one more call, for chrome://tracing and Perfetto.
    #[arg(long, value_name = "OUT.json")]
    pub trace: Option<String>,
}

#[derive(ClapArgs, Debug)]
pub struct Bench {
    /// The programs; `NAME.npz` beside a program holds its inputs, otherwise they are made up.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    #[command(flatten)]
    pub transforms: Transforms,
    /// Runs the programs as they are given, without simplification.
    #[arg(long)]
    pub no_simplify: bool,
    /// Where to write what each thread did in one more call of the one program, for chrome://tracing and Perfetto.
    #[arg(long, value_name = "OUT.json")]
    pub trace: Option<String>,
    /// How often to run each program; default: for about a second.
    #[arg(long, value_name = "N")]
    pub repeat: Option<usize>,
    /// How many threads kernels may use; default: all cores.
    #[arg(long, value_name = "T")]
    pub threads: Option<usize>,
}

#[derive(ClapArgs, Debug)]
pub struct Check {
    /// Folders of cases (with a `manifest.jsonl`, or of StableHLO files that check themselves), or single files.
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<String>,
    /// What to run on: `interp`, `cpu`, or `pjrt:PATH` with a PJRT plugin.
    #[arg(long, value_name = "D", default_value = "cpu")]
    pub device: String,
    /// What to ask of each case.
    #[arg(long, value_enum, value_name = "K,…", value_delimiter = ',', default_values = ["run", "vjp", "jvp"])]
    pub kind: Vec<Kind>,
    /// Only cases whose name contains this.
    #[arg(long, value_name = "S", default_value = "")]
    pub filter: String,
    /// How many cases to run at the same time; default: one for each core.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Where to write all verdicts as JSON.
    #[arg(long, value_name = "OUT.json")]
    pub report: Option<String>,
    /// How many seconds a case may take.
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    pub timeout: f64,
}
