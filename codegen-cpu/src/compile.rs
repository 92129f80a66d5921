//! From a module to machine code: every kernel and every part of the schedule is a function, compiled by itself on any core.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cranelift_codegen::binemit::{Addend, CodeOffset, Reloc};
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{ExternalName, Function, LibCall, UserFuncName};
use cranelift_codegen::{Context, FinalizedMachReloc, FinalizedRelocTarget};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncOrDataId, Linkage, Module as _, ModuleReloc, ModuleRelocTarget, default_libcall_names};
use rjax_ir::{Error, ErrorKind, Result};
use rjax_kernel::Origin;
use rjax_kernel::kir::{Access, Inst, Kernel, Module, Param, Space, Stmt, View};
use rjax_runtime::profile::Label;
use rjax_runtime::timed;

use crate::callees::{Callees, FUNCTIONS, WIDE_LOOPS};
use crate::executable::{Code, Executable};
use crate::expand::expand;
use crate::kernel::{self, Memory};
use crate::labels::{Labels, call_label, labels};
use crate::routines::{Routine, library_functions};
use crate::schedule::{Scheduler, Task, weight};
use crate::target::{Effort, target};

/// Kernels of more instructions, and functions of the schedule of more statements, are compiled quickly instead of well.
const LONG_KERNEL: usize = 8000;
const LONG_SCHEDULE: usize = 64;
/// Below this many instructions a second thread is not worth its start.
const PARALLEL_FROM: usize = 300;
/// Wide loops begin at multiples of a cache line, so that no constant vector lies across two.
const WIDE_ALIGNMENT: usize = 64;

/// Settings of [`compile`](crate::compile).
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many threads compile functions; the code does not depend on it.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { threads: rjax_runtime::threads() }
    }
}

/// Compiles a module for this machine.
pub fn compile(module: &Module, options: &Options) -> Result<Executable> {
    build(module, options, &Labels::new(), None)
}

/// Compiles a module so that calls note their steps in the recording under way, if there is one ([`rjax_runtime::profile`]). `origins` are what
/// [`rjax_kernel::origins`] says of the same program.
pub fn compile_observed(module: &Module, origins: &[Origin], options: &Options) -> Result<Executable> {
    build(module, options, &labels(module, origins), Some(call_label(module)))
}

fn build(module: &Module, options: &Options, labels: &Labels, call: Option<Label>) -> Result<Executable> {
    let (functions, tasks) = timed("generate", || functions(module, options, labels, Listing::None))?;
    let code = timed("link", || link(module, &functions))?;
    Executable::new(module, code, tasks, call)
}

/// The Cranelift IR of a module's functions, byte-identical from run to run.
pub fn clif_text(module: &Module) -> Result<String> {
    listing(module, Listing::Clif)
}

/// The machine code of a module's functions as text, byte-identical from run to run on one kind of machine.
pub fn asm_text(module: &Module) -> Result<String> {
    listing(module, Listing::Assembly)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Listing {
    None,
    Clif,
    Assembly,
}

fn listing(module: &Module, listing: Listing) -> Result<String> {
    let (functions, _) = functions(module, &Options::default(), &Labels::new(), listing)?;
    let mut text = String::new();
    for (id, function) in functions.iter().enumerate() {
        text += &match id.checked_sub(module.kernels.len()) {
            None => format!("; function u0:{id}: kernel @{id}\n"),
            Some(0) => format!("; function u0:{id}: schedule\n"),
            Some(part) => format!("; function u0:{id}: part {part} of the schedule\n"),
        };
        for (i, routine) in function.routines.iter().enumerate() {
            text += &format!("; u1:{i} is {}\n", routine.name());
        }
        text += function.text.trim_end();
        text += "\n\n";
    }
    Ok(text)
}

/// A function that has been compiled but has no place in memory yet.
struct Compiled {
    code: Vec<u8>,
    alignment: u64,
    calls: Vec<Call>,
    routines: Vec<Routine>,
    text: String,
}

/// A place in the code that the address of a function goes to.
struct Call {
    offset: CodeOffset,
    kind: Reloc,
    addend: Addend,
    callee: Callee,
}

enum Callee {
    Function(u32),
    Routine(Routine),
    Library(LibCall),
}

/// Work for one of the compiling threads.
enum Job<'a> {
    Kernel(&'a Kernel, Vec<Memory>),
    Schedule { function: Box<Function>, routines: Vec<Routine>, effort: Effort },
}

fn functions(
    module: &Module,
    options: &Options,
    labels: &Labels,
    listing: Listing,
) -> Result<(Vec<Compiled>, Vec<Task>)> {
    let mut jobs = Vec::new();
    for (kernel, memory) in module.kernels.iter().zip(memory(module)) {
        jobs.push((size(&kernel.body), Job::Kernel(kernel, memory)));
    }
    let (parts, tasks) = schedule(module, labels)?;
    jobs.extend(parts);

    let total: usize = jobs.iter().map(|(size, _)| size).sum();
    let threads = if total < PARALLEL_FROM { 1 } else { options.threads.clamp(1, jobs.len()) };
    // Long functions first, so that no thread is left with one at the end.
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(jobs[i].0));
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<Compiled>>>> = Mutex::new(jobs.iter().map(|_| None).collect());
    let work = || {
        let mut compiler = Compiler::new();
        while let Some(&i) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = compiler.run(i as u32, &jobs[i].1, jobs[i].0, listing);
            results.lock().unwrap_or_else(PoisonError::into_inner)[i] = Some(result);
        }
    };
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| {
            scope.spawn(work);
        });
        work();
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let functions: Result<Vec<Compiled>> =
        results.into_iter().map(|result| result.expect("every job was taken")).collect();
    Ok((functions?, tasks))
}

/// The number of instructions, those of blocks inside included.
fn size(insts: &[Inst]) -> usize {
    insts.iter().map(|inst| 1 + inst.blocks().into_iter().map(size).sum::<usize>()).sum()
}

/// The functions of the schedule, in order, before they are compiled, and the tasks of their routines.
fn schedule<'a>(module: &'a Module, labels: &'a Labels) -> Result<(Vec<(usize, Job<'a>)>, Vec<Task>)> {
    let convention = target(Effort::Full)?.default_call_conv();
    let config = target(Effort::Full)?.frontend_config();
    let mut scheduler = Scheduler::new(module, labels, convention);
    let mut context = FunctionBuilderContext::new();
    let mut parts = BTreeMap::new();
    while let Some((id, stmts)) = scheduler.pop() {
        let mut callees = Callees::new(convention);
        let name = UserFuncName::user(FUNCTIONS, id);
        let mut function = Function::with_name_signature(name, Callees::schedule_signature(convention));
        let mut builder = FunctionBuilder::new(&mut function, &mut context);
        scheduler.emit(stmts, &mut builder, &mut callees)?;
        builder.finalize(config);
        let weight = weight(stmts);
        let effort = if weight > LONG_SCHEDULE { Effort::Quick } else { Effort::Full };
        let job = Job::Schedule { function: Box::new(function), routines: callees.routines, effort };
        parts.insert(id, (4 * weight.min(LONG_SCHEDULE * 2), job));
    }
    Ok((parts.into_values().collect(), scheduler.tasks))
}

/// What a thread keeps from one function to the next.
struct Compiler {
    context: Context,
    builder: FunctionBuilderContext,
}

impl Compiler {
    fn new() -> Compiler {
        Compiler { context: Context::new(), builder: FunctionBuilderContext::new() }
    }

    fn run(&mut self, id: u32, job: &Job<'_>, size: usize, listing: Listing) -> Result<Compiled> {
        self.context.clear();
        let mut wide = Vec::new();
        let (mut routines, effort) = match job {
            Job::Kernel(kernel, memory) => {
                let isa = target(Effort::Full)?;
                let mut callees = Callees::new(isa.default_call_conv());
                self.context.func.name = UserFuncName::user(FUNCTIONS, id);
                self.context.func.signature = Callees::kernel_signature(isa.default_call_conv());
                let mut builder = FunctionBuilder::new(&mut self.context.func, &mut self.builder);
                let kernel = &expand(kernel);
                wide = kernel::emit(kernel, memory, &mut builder, &mut callees)?;
                builder.finalize(isa.frontend_config());
                (callees.routines, if size > LONG_KERNEL { Effort::Quick } else { Effort::Full })
            }
            Job::Schedule { function, routines, effort } => {
                self.context.func = (**function).clone();
                (routines.clone(), *effort)
            }
        };
        let mut text = String::new();
        if listing == Listing::Clif {
            text = self.context.func.display().to_string();
        }
        self.context.set_disasm(listing == Listing::Assembly);
        let failed = |what: String| Error::new(ErrorKind::Unsupported, format!("cpu: cranelift: {what}"));
        self.context
            .compile(&**target(effort)?, &mut ControlPlane::default())
            .map_err(|error| failed(format!("{:?}", error.inner)))?;
        let compiled = self.context.compiled_code().expect("compiled above");
        if listing == Listing::Assembly {
            text = compiled.vcode.clone().unwrap_or_default();
        }
        let mut code = compiled.code_buffer().to_vec();
        let mut places = Vec::with_capacity(wide.len());
        let mut calls = Vec::new();
        for (i, wide_loop) in wide.iter().enumerate() {
            code.resize(code.len().next_multiple_of(WIDE_ALIGNMENT), 0xcc);
            places.push(code.len() as Addend);
            for &(offset, routine) in &wide_loop.calls {
                let offset = (code.len() + offset) as CodeOffset;
                calls.push(Call { offset, kind: Reloc::Abs8, addend: 0, callee: Callee::Routine(routine) });
                routines.push(routine);
            }
            code.extend(&wide_loop.code);
            if listing == Listing::Assembly {
                text += &format!("; wide loop u{WIDE_LOOPS}:{i}\n{}", wide_loop.text);
            }
        }
        calls.extend(
            compiled.buffer.relocs().iter().map(|reloc| call(reloc, id, &self.context.func, &routines, &places)),
        );
        Ok(Compiled {
            code,
            alignment: (compiled.buffer.alignment as u64).max(WIDE_ALIGNMENT as u64),
            calls,
            routines,
            text,
        })
    }
}

/// A call in function `id`, whose wide loops begin at `places`.
fn call(reloc: &FinalizedMachReloc, id: u32, function: &Function, routines: &[Routine], places: &[Addend]) -> Call {
    let mut addend = reloc.addend;
    let callee = match &reloc.target {
        FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
            let name = &function.params.user_named_funcs()[*name];
            if name.namespace == FUNCTIONS {
                Callee::Function(name.index)
            } else if name.namespace == WIDE_LOOPS {
                addend += places[name.index as usize];
                Callee::Function(id)
            } else {
                Callee::Routine(routines[name.index as usize])
            }
        }
        FinalizedRelocTarget::ExternalName(ExternalName::LibCall(call)) => Callee::Library(*call),
        FinalizedRelocTarget::ExternalName(ExternalName::TestCase(_) | ExternalName::KnownSymbol(_))
        | FinalizedRelocTarget::Func(_) => unreachable!("the generator makes no such references"),
    };
    Call { offset: reloc.offset, kind: reloc.kind, addend, callee }
}

/// Puts the functions into executable memory.
fn link(module: &Module, functions: &[Compiled]) -> Result<Code> {
    let failed = |error: cranelift_module::ModuleError| {
        Error::new(ErrorKind::Unsupported, format!("cpu: cannot load the code: {error}"))
    };
    let isa = target(Effort::Full)?;
    let convention = isa.default_call_conv();
    let mut builder = JITBuilder::with_isa(isa.clone(), default_libcall_names());
    let routines: BTreeMap<Routine, String> =
        functions.iter().flat_map(|f| &f.routines).map(|&routine| (routine, routine.name())).collect();
    for (routine, name) in &routines {
        builder.symbol(name.as_str(), routine.address());
    }
    for (name, address) in library_functions() {
        builder.symbol(name, address);
    }
    let mut jit = JITModule::new(builder);
    let mut places = Vec::with_capacity(functions.len());
    for id in 0..functions.len() {
        let signature = if id < module.kernels.len() {
            Callees::kernel_signature(convention)
        } else {
            Callees::schedule_signature(convention)
        };
        places.push(jit.declare_anonymous_function(&signature).map_err(failed)?);
    }
    let mut imports = BTreeMap::new();
    for (&routine, name) in &routines {
        let id = jit.declare_function(name, Linkage::Import, &routine.signature(convention)).map_err(failed)?;
        imports.insert(routine, id);
    }
    for (function, &id) in functions.iter().zip(&places) {
        let relocations: Vec<ModuleReloc> = function
            .calls
            .iter()
            .map(|call| ModuleReloc {
                offset: call.offset,
                kind: call.kind,
                addend: call.addend,
                name: match call.callee {
                    Callee::Function(index) => FuncOrDataId::Func(places[index as usize]).into(),
                    Callee::Routine(routine) => FuncOrDataId::Func(imports[&routine]).into(),
                    Callee::Library(call) => ModuleRelocTarget::LibCall(call),
                },
            })
            .collect();
        jit.define_function_bytes(id, function.alignment, &function.code, &relocations).map_err(failed)?;
    }
    jit.finalize_definitions().map_err(failed)?;
    let entry = jit.get_finalized_function(places[module.kernels.len()]);
    Ok(Code { entry, bytes: functions.iter().map(|f| f.code.len()).sum(), memory: jit })
}

/// What the launches say of each parameter of each kernel.
fn memory(module: &Module) -> Vec<Vec<Memory>> {
    let unknown = |param: &Param| Memory { unaliased: param.access == Access::Read, cached: false };
    let mut memory: Vec<Vec<Memory>> =
        module.kernels.iter().map(|kernel| kernel.params.iter().map(unknown).collect()).collect();
    note_launches(module, &module.body, &mut memory);
    memory
}

fn note_launches(module: &Module, stmts: &[Stmt], memory: &mut [Vec<Memory>]) {
    for stmt in stmts {
        match stmt {
            Stmt::Launch { kernel, args } => {
                let Some(callee) = module.kernels.get(kernel.index()) else { continue };
                let extents: Vec<_> = args.iter().map(|view| extent(module, view)).collect();
                for (i, memory) in memory[kernel.index()].iter_mut().enumerate().take(extents.len()) {
                    memory.cached |= matches!(extents[i], Some((Space::Local(_), ..)));
                    memory.unaliased &= extents.iter().zip(&callee.params).enumerate().all(|(j, (other, param))| {
                        i == j || param.access == Access::Read || !overlap(&extents[i], other)
                    });
                }
            }
            Stmt::While { condition, body, .. } => {
                note_launches(module, condition, memory);
                note_launches(module, body, memory);
            }
            Stmt::For { body, .. } => note_launches(module, body, memory),
            Stmt::Rows(rows) => note_launches(module, &rows.body, memory),
            Stmt::Switch { branches, .. } => {
                branches.iter().for_each(|branch| note_launches(module, branch, memory));
            }
            Stmt::Copy { .. }
            | Stmt::Print { .. }
            | Stmt::Gemm(_)
            | Stmt::Conv(_)
            | Stmt::Transpose(_)
            | Stmt::Sort(_)
            | Stmt::TopK(_)
            | Stmt::Library(_) => {}
        }
    }
}

/// The memory that a view may reach: its space, and the bytes from which to which of it.
pub(crate) fn extent(module: &Module, view: &View) -> Option<(Space, usize, usize)> {
    let buffer = module.buffers.get(view.buffer.index())?;
    let size = buffer.dtype.size();
    let (space, start) = match buffer.space {
        Space::Arena(offset) => (Space::Arena(0), offset),
        Space::Local(offset) => (Space::Local(0), offset),
        space @ (Space::Input(_) | Space::Output(_) | Space::Const(_)) => (space, 0),
    };
    Some((space, start + view.offset * size, start + buffer.len * size))
}

pub(crate) fn overlap(x: &Option<(Space, usize, usize)>, y: &Option<(Space, usize, usize)>) -> bool {
    match (x, y) {
        (Some((x, x_start, x_end)), Some((y, y_start, y_end))) => x == y && x_start < y_end && y_start < x_end,
        (None, _) | (_, None) => true,
    }
}
