//! Compiled programs and calls of them.

use std::sync::{Arc, Mutex, PoisonError};

use cranelift_jit::JITModule;
use rjax_ir::{Aval, DType, Result, Tensor, bail, ensure};
use rjax_kernel::kir::{ALIGNMENT, Access, Module, Space, Stmt, View};
use rjax_runtime::Buffer;
use rjax_runtime::profile::{self, Label};

use crate::block::Block;
use crate::schedule::{Frame, Task};

/// Machine code in memory.
pub(crate) struct Code {
    pub(crate) entry: *const u8,
    pub(crate) bytes: usize,
    pub(crate) memory: JITModule,
}

/// An input of a call.
#[derive(Debug)]
pub enum Input<'a> {
    /// Only read.
    Shared(&'a [u8]),
    /// Given up by the caller: the program may write it, and results may be left in it.
    Donated(&'a mut [u8]),
}

/// Where a call leaves a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResultPlace {
    /// In the output of the same position.
    Output,
    /// In the memory of this donated input; the output of the same position is to be empty.
    Input(usize),
}

/// A program compiled for this machine. Calls may come from several threads at once. The memory of its code is freed on drop.
///
/// ```
/// use rjax_codegen_cpu::{Input, Options, compile};
/// use rjax_kernel::kir::Module;
/// let executable = compile(&Module::default(), &Options::default()).unwrap();
/// executable.run(&mut [], &mut []).unwrap();
/// ```
pub struct Executable {
    /// Kept alive for the code in it; taken out only to be freed.
    memory: Mutex<Option<JITModule>>,
    entry: unsafe extern "C" fn(*mut u64),
    code_bytes: usize,
    kernels: usize,
    launches: usize,
    frame: Frame,
    /// The constant words of every frame, with zeros for those that a call fills.
    template: Vec<u64>,
    inputs: Vec<Aval>,
    /// Inputs that the program writes.
    written: Vec<bool>,
    outputs: Vec<Aval>,
    results: Vec<ResultPlace>,
    arena_bytes: usize,
    /// Frames and arenas of earlier calls.
    idle: Mutex<Vec<Workspace>>,
    /// The span of a whole call, in programs that are compiled to be observed.
    call: Option<Arc<Label>>,
    /// Addresses of both are in the template.
    _tasks: Vec<Task>,
    _consts: Vec<Block>,
}

// SAFETY: the entry points into code that never changes; all else that calls share is behind a mutex or only read.
unsafe impl Send for Executable {}
// SAFETY: as above.
unsafe impl Sync for Executable {}

const _: () = assert!(Buffer::ALIGN.is_multiple_of(ALIGNMENT), "arenas are buffers");

/// What one call at a time uses.
struct Workspace {
    frame: Vec<u64>,
    arena: Buffer,
}

impl Executable {
    pub(crate) fn new(module: &Module, code: Code, tasks: Vec<Task>, call: Option<Label>) -> Result<Executable> {
        let frame = Frame::of(module);
        let mut template = vec![0; frame.task(tasks.len())];
        let consts: Vec<Block> = module.consts.iter().map(|tensor| Block::of(&tensor.to_bytes())).collect();
        for (i, block) in consts.iter().enumerate() {
            template[frame.constant(i)] = block.start() as u64;
        }
        for (i, task) in tasks.iter().enumerate() {
            template[frame.task(i)] = task.address() as u64;
        }
        check_spaces(module)?;
        let mut results = Vec::with_capacity(module.results.len());
        for (i, buffer) in module.results.iter().enumerate() {
            results.push(match module.buffers.get(buffer.index()).map(|b| b.space) {
                Some(Space::Output(o)) if o as usize == i => ResultPlace::Output,
                Some(Space::Input(input)) => ResultPlace::Input(input as usize),
                Some(Space::Output(_) | Space::Const(_) | Space::Arena(_) | Space::Local(_)) | None => {
                    bail!(Malformed, "cpu: result {i} is in buffer {buffer}, which is neither its output nor an input")
                }
            });
        }
        let mut written = vec![false; module.inputs.len()];
        note_writes(module, &module.body, &mut written);
        for place in &results {
            if let ResultPlace::Input(i) = place {
                written[*i] = true;
            }
        }
        // SAFETY: the entry is the schedule's function, which has this signature.
        let entry = unsafe { std::mem::transmute::<*const u8, unsafe extern "C" fn(*mut u64)>(code.entry) };
        Ok(Executable {
            memory: Mutex::new(Some(code.memory)),
            entry,
            code_bytes: code.bytes,
            kernels: module.kernels.len(),
            launches: module.launches(),
            frame,
            template,
            inputs: module.inputs.clone(),
            written,
            outputs: module.outputs.clone(),
            results,
            arena_bytes: module.arena_bytes,
            idle: Mutex::new(Vec::new()),
            call: call.map(Arc::new),
            _tasks: tasks,
            _consts: consts,
        })
    }

    /// The types of the inputs.
    pub fn inputs(&self) -> &[Aval] {
        &self.inputs
    }

    /// The types of the outputs.
    pub fn outputs(&self) -> &[Aval] {
        &self.outputs
    }

    /// Where each result is after a call.
    pub fn results(&self) -> &[ResultPlace] {
        &self.results
    }

    /// Whether the program writes this input, which must then be [`Input::Donated`].
    pub fn writes_input(&self, input: usize) -> bool {
        self.written[input]
    }

    /// How many kernels the program has.
    pub fn kernels(&self) -> usize {
        self.kernels
    }

    /// How many launches and routine calls the schedule has, loop bodies counted once.
    pub fn launches(&self) -> usize {
        self.launches
    }

    /// Bytes of machine code.
    pub fn code_bytes(&self) -> usize {
        self.code_bytes
    }

    /// Bytes of temporary memory that a call uses.
    pub fn arena_bytes(&self) -> usize {
        self.arena_bytes
    }

    /// Calls the program: reads the inputs' bytes and writes the outputs'. All are row-major in native byte order, aligned
    /// to their elements; a `bool` is a byte 0 or 1. An output whose result stays in a donated input is empty.
    pub fn run(&self, inputs: &mut [Input<'_>], outputs: &mut [&mut [u8]]) -> Result<()> {
        ensure!(
            inputs.len() == self.inputs.len(),
            Structure,
            "call: found {} inputs; the program has {}",
            inputs.len(),
            self.inputs.len()
        );
        ensure!(
            outputs.len() == self.outputs.len(),
            Structure,
            "call: found {} outputs; the program has {}",
            outputs.len(),
            self.outputs.len()
        );
        let mut workspace = self.workspace();
        let checked = self.fill(&mut workspace, inputs, outputs);
        if checked.is_ok() {
            let frame = workspace.frame.as_mut_ptr();
            // SAFETY: the frame holds the addresses that the code expects, of memory of the right size and alignment that this
            // call has to itself (or only reads), and constants and tasks that live as long as `self`.
            let call = || unsafe { (self.entry)(frame) };
            match &self.call {
                None => call(),
                Some(label) => profile::spanned(label, call),
            }
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
        checked
    }

    fn workspace(&self) -> Workspace {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| {
            let mut frame = self.template.clone();
            let mut arena = Buffer::new(Aval::new(DType::U8, [self.arena_bytes]));
            frame[Frame::ARENA] = arena.as_bytes_mut().as_mut_ptr() as u64;
            Workspace { frame, arena }
        })
    }

    fn fill(&self, workspace: &mut Workspace, inputs: &mut [Input<'_>], outputs: &mut [&mut [u8]]) -> Result<()> {
        debug_assert_eq!(workspace.frame[Frame::ARENA], workspace.arena.as_bytes().as_ptr() as u64);
        for (i, (input, aval)) in inputs.iter_mut().zip(&self.inputs).enumerate() {
            let (start, bytes) = match input {
                Input::Shared(bytes) => {
                    ensure!(!self.written[i], Structure, "call: the program writes input {i}, which must be donated");
                    (bytes.as_ptr(), bytes.len())
                }
                Input::Donated(bytes) => (bytes.as_mut_ptr().cast_const(), bytes.len()),
            };
            check_memory("input", i, aval, start, bytes)?;
            workspace.frame[self.frame.input(i)] = start as u64;
        }
        for (i, (output, aval)) in outputs.iter_mut().zip(&self.outputs).enumerate() {
            if let ResultPlace::Input(input) = self.results[i] {
                ensure!(
                    output.is_empty(),
                    Structure,
                    "call: output {i} is left in input {input}; found {} bytes for it",
                    output.len()
                );
            } else {
                check_memory("output", i, aval, output.as_ptr(), output.len())?;
            }
            workspace.frame[self.frame.output(i)] = output.as_mut_ptr() as u64;
        }
        Ok(())
    }

    /// Calls the program on host values. Inputs are copied, results are new.
    pub fn call(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        for (i, (tensor, aval)) in inputs.iter().zip(&self.inputs).enumerate() {
            ensure!(
                tensor.aval() == *aval,
                Structure,
                "call: input {i} is {}; the program takes {aval}",
                tensor.aval()
            );
        }
        let mut copies: Vec<Block> = inputs.iter().map(|tensor| Block::of(&tensor.to_bytes())).collect();
        let mut arguments: Vec<Input<'_>> =
            copies.iter_mut().map(|block| Input::Donated(block.as_bytes_mut())).collect();
        let mut blocks: Vec<Block> = self
            .outputs
            .iter()
            .zip(&self.results)
            .map(|(aval, place)| Block::of(&vec![0; if *place == ResultPlace::Output { aval.bytes() } else { 0 }]))
            .collect();
        let mut outputs: Vec<&mut [u8]> = blocks.iter_mut().map(Block::as_bytes_mut).collect();
        self.run(&mut arguments, &mut outputs)?;
        let results = self.results.iter().zip(&self.outputs).enumerate().map(|(i, (place, aval))| {
            let block = match *place {
                ResultPlace::Output => &blocks[i],
                ResultPlace::Input(input) => &copies[input],
            };
            Tensor::from_bytes(aval, block.as_bytes())
        });
        Ok(results.collect())
    }
}

impl Drop for Executable {
    fn drop(&mut self) {
        let memory = self.memory.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(memory) = memory {
            // SAFETY: calls borrow the executable, so none is running, and nobody else knows the code's addresses.
            unsafe { memory.free_memory() };
        }
    }
}

impl std::fmt::Debug for Executable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Executable({} kernels, {} bytes of code)", self.kernels, self.code_bytes)
    }
}

fn check_memory(what: &str, i: usize, aval: &Aval, start: *const u8, bytes: usize) -> Result<()> {
    ensure!(
        bytes == aval.bytes(),
        Structure,
        "call: {what} {i} is {aval}, which has {} bytes; found {bytes}",
        aval.bytes()
    );
    let alignment = aval.dtype.real().size();
    ensure!(
        bytes == 0 || (start as usize).is_multiple_of(alignment),
        Structure,
        "call: {what} {i} is {aval} and must be aligned to {alignment} bytes"
    );
    Ok(())
}

/// Checks that every buffer lies in memory that there will be.
fn check_spaces(module: &Module) -> Result<()> {
    ensure!(
        module.results.len() == module.outputs.len(),
        Malformed,
        "cpu: {} results for {} outputs",
        module.results.len(),
        module.outputs.len()
    );
    for (i, buffer) in module.buffers.iter().enumerate() {
        let room = match buffer.space {
            Space::Input(i) => module.inputs.get(i as usize).map(Aval::bytes),
            Space::Output(o) => module.outputs.get(o as usize).map(Aval::bytes),
            Space::Const(c) => module.consts.get(c as usize).map(|tensor| tensor.aval().bytes()),
            Space::Arena(offset) => module.arena_bytes.checked_sub(offset),
            // There is as much as a block of rows takes.
            Space::Local(_) => Some(usize::MAX),
        };
        let bytes = buffer.len * buffer.dtype.size();
        ensure!(
            bytes == 0 || room.is_some_and(|room| bytes <= room),
            Malformed,
            "cpu: buffer b{i} ({buffer}) has {bytes} bytes, its memory {}",
            room.unwrap_or(0)
        );
    }
    Ok(())
}

/// Marks the inputs that statements write.
fn note_writes(module: &Module, stmts: &[Stmt], written: &mut [bool]) {
    each_written(module, stmts, &mut |view| {
        if let Space::Input(i) = module.buffers[view.buffer.index()].space {
            written[i as usize] = true;
        }
    });
}

/// Calls `note` with every view that statements write.
pub(crate) fn each_written<'a>(module: &Module, stmts: &'a [Stmt], note: &mut dyn FnMut(&'a View)) {
    for stmt in stmts {
        match stmt {
            Stmt::Launch { kernel, args } => {
                let Some(kernel) = module.kernels.get(kernel.index()) else { continue };
                let writes = args.iter().zip(&kernel.params).filter(|(_, param)| param.access != Access::Read);
                writes.for_each(|(view, _)| note(view));
            }
            Stmt::Copy { destination, .. } => note(destination),
            Stmt::Gemm(gemm) => note(&gemm.out),
            Stmt::Conv(conv) => note(&conv.out),
            Stmt::Transpose(transpose) => note(&transpose.out),
            Stmt::Sort(sort) => sort.operands.iter().for_each(|operand| note(&operand.destination)),
            Stmt::Library(library) => library.results.iter().for_each(|(view, _)| note(view)),
            Stmt::TopK(top_k) => {
                note(&top_k.values);
                note(&top_k.indices);
            }
            Stmt::Print { .. } => {}
            Stmt::While { condition, body, .. } => {
                each_written(module, condition, note);
                each_written(module, body, note);
            }
            Stmt::For { body, .. } => each_written(module, body, note),
            Stmt::Rows(rows) => each_written(module, &rows.body, note),
            Stmt::Switch { branches, .. } => branches.iter().for_each(|branch| each_written(module, branch, note)),
        }
    }
}
