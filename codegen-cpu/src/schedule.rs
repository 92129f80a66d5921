//! The schedule of a module as Cranelift functions `(frame)`: launches, copies, loops and branches.
//!
//! The frame is a table of words that a call fills: the address of the arena, of every input and output, of constants and of tasks
//! for routines, and the counters of `for` loops. Long schedules are cut into several functions, because
//! the time to compile one grows faster than its length.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I32, I64};
use cranelift_codegen::ir::{BlockArg, InstBuilder, JumpTableData, MemFlagsData, StackSlot, Value};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;
use rjax_ir::{DType, DebugPrint, Result, bail, ensure};
use rjax_kernel::kir::{BufferId, Conv, CounterId, Gemm, Kernel, Module, Rows, Space, Stmt, View};
use rjax_runtime::profile::Label;

use crate::callees::Callees;
use crate::compile::{extent, overlap};
use crate::executable::each_written;
use crate::gemm;
use crate::labels::Labels;
use crate::ops::{Lanes, Ops};
use crate::routines::{PrintTask, Routine, RowsTask, grain, launches};

/// Statements in one function, those of loops inside included.
const CHUNK: usize = 128;
/// Loops of fewer iterations keep nothing.
const KEPT_FOR: usize = 3;
/// Copies of at most this many bytes are moved by registers.
const SMALL_COPY: usize = 64;

/// What a routine works on, kept by the executable as long as its code.
pub(crate) enum Task {
    Gemm(Box<rjax_kernel::kir::Gemm>),
    Conv(Box<rjax_kernel::kir::Conv>),
    Transpose(Box<rjax_kernel::kir::Transpose>),
    Sort(Box<rjax_kernel::kir::Sort>),
    TopK(Box<rjax_kernel::kir::TopK>),
    Library(Box<rjax_kernel::kir::Library>),
    Print(Box<PrintTask>),
    Rows(Box<RowsTask>),
    Label(Arc<Label>),
    /// No task but a word of the frame, where a routine keeps something from call to call.
    Slot,
}

impl Task {
    pub(crate) fn address(&self) -> *const u8 {
        match self {
            Task::Gemm(task) => (&raw const **task).cast(),
            Task::Conv(task) => (&raw const **task).cast(),
            Task::Transpose(task) => (&raw const **task).cast(),
            Task::Sort(task) => (&raw const **task).cast(),
            Task::TopK(task) => (&raw const **task).cast(),
            Task::Library(task) => (&raw const **task).cast(),
            Task::Print(task) => (&raw const **task).cast(),
            Task::Rows(task) => (&raw const **task).cast(),
            Task::Label(label) => Arc::as_ptr(label).cast(),
            Task::Slot => std::ptr::null(),
        }
    }
}

/// Where each word of the frame is.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) consts: usize,
    pub(crate) counters: usize,
}

impl Frame {
    pub(crate) fn of(module: &Module) -> Frame {
        Frame {
            inputs: module.inputs.len(),
            outputs: module.outputs.len(),
            consts: module.consts.len(),
            counters: module.counters as usize,
        }
    }

    /// The word of the arena's address.
    pub(crate) const ARENA: usize = 0;

    pub(crate) fn input(self, i: usize) -> usize {
        1 + i
    }

    pub(crate) fn output(self, i: usize) -> usize {
        1 + self.inputs + i
    }

    pub(crate) fn constant(self, i: usize) -> usize {
        1 + self.inputs + self.outputs + i
    }

    fn counter(self, counter: CounterId) -> usize {
        1 + self.inputs + self.outputs + self.consts + counter.index()
    }

    /// Tasks come last, because their number is known only after the schedule was emitted.
    pub(crate) fn task(self, i: usize) -> usize {
        1 + self.inputs + self.outputs + self.consts + self.counters + i
    }
}

/// Emits the functions of a schedule one by one.
pub(crate) struct Scheduler<'a> {
    module: &'a Module,
    frame: Frame,
    convention: CallConv,
    /// Tasks in the order of the statements that use them.
    pub(crate) tasks: Vec<Task>,
    /// Parts that became functions of their own, not emitted yet.
    waiting: Vec<(u32, &'a [Stmt])>,
    /// The number of the next function.
    next: u32,
    /// The most iterations that each counter counts.
    lengths: Vec<usize>,
    /// Products in loops whose right operands are the same in every iteration, and the slots that they are kept in.
    kept: HashMap<*const Gemm, usize>,
    /// By the body of a loop the slots that are empty again after it.
    slots: HashMap<*const Stmt, Vec<usize>>,
    /// The launches that keep to one thread, however long they take.
    serial: HashSet<*const Stmt>,
    /// The statements around which spans are opened and closed.
    labels: &'a Labels,
}

impl<'a> Scheduler<'a> {
    /// A scheduler whose first function, that of the whole body, has the number after those of the kernels.
    pub(crate) fn new(module: &'a Module, labels: &'a Labels, convention: CallConv) -> Scheduler<'a> {
        let entry = module.kernels.len() as u32;
        let mut lengths = vec![0; module.counters as usize];
        note_lengths(&module.body, &mut lengths);
        let mut scheduler = Scheduler {
            module,
            frame: Frame::of(module),
            convention,
            tasks: Vec::new(),
            waiting: vec![(entry, &module.body)],
            next: entry + 1,
            lengths,
            kept: HashMap::new(),
            slots: HashMap::new(),
            serial: launches(module)
                .iter()
                .filter(|launch| launch.serial)
                .map(|launch| &raw const *launch.stmt)
                .collect(),
            labels,
        };
        scheduler.note_kept(&module.body);
        scheduler
    }

    /// Finds the products in loops whose right operand nothing in the loop writes.
    fn note_kept(&mut self, stmts: &'a [Stmt]) {
        for stmt in stmts {
            let (parts, counter, often) = match stmt {
                Stmt::For { counter, length, body, .. } => (vec![&body[..]], Some(*counter), *length >= KEPT_FOR),
                Stmt::While { condition, body, .. } => (vec![&condition[..], &body[..]], None, true),
                Stmt::Switch { branches, .. } => {
                    branches.iter().for_each(|branch| self.note_kept(branch));
                    continue;
                }
                Stmt::Launch { .. }
                | Stmt::Copy { .. }
                | Stmt::Print { .. }
                | Stmt::Gemm(_)
                | Stmt::Conv(_)
                | Stmt::Transpose(_)
                | Stmt::Sort(_)
                | Stmt::TopK(_)
                | Stmt::Library(_)
                | Stmt::Rows(_) => continue,
            };
            let mut written = Vec::new();
            parts.iter().for_each(|part| each_written(self.module, part, &mut |view| written.push(view)));
            for stmt in parts.iter().copied().flatten() {
                let Stmt::Gemm(gemm) = stmt else { continue };
                let moves = gemm.rhs.terms.iter().any(|&(c, _)| Some(c) == counter);
                // Strides may be negative.
                let place = extent(self.module, &View::whole(gemm.rhs.buffer));
                if often && !moves && !written.iter().any(|view| overlap(&place, &extent(self.module, view))) {
                    let Some(first) = parts.last().and_then(|body| body.first()) else { continue };
                    let slot = self.frame.task(self.tasks.len());
                    self.tasks.push(Task::Slot);
                    self.kept.insert(gemm, slot);
                    self.slots.entry(first).or_default().push(slot);
                }
            }
            parts.into_iter().for_each(|part| self.note_kept(part));
        }
    }

    /// The next function that has not been emitted: its number and statements.
    pub(crate) fn pop(&mut self) -> Option<(u32, &'a [Stmt])> {
        self.waiting.pop()
    }

    pub(crate) fn emit(
        &mut self,
        stmts: &'a [Stmt],
        builder: &mut FunctionBuilder<'_>,
        callees: &mut Callees,
    ) -> Result<()> {
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        let frame = builder.block_params(entry)[0];
        let ops = Ops { builder, callees, lanes: Lanes::One };
        let mut emitter = Emitter { ops, scheduler: self, frame, arguments: None };
        emitter.stmts(stmts)?;
        emitter.ops.builder.ins().return_(&[]);
        emitter.ops.builder.seal_all_blocks();
        Ok(())
    }
}

/// Collects the lengths of `for` loops by their counters.
fn note_lengths(stmts: &[Stmt], lengths: &mut [usize]) {
    for stmt in stmts {
        match stmt {
            Stmt::For { counter, length, body, .. } => {
                if let Some(noted) = lengths.get_mut(counter.index()) {
                    *noted = (*noted).max(*length);
                }
                note_lengths(body, lengths);
            }
            Stmt::While { condition, body, .. } => {
                note_lengths(condition, lengths);
                note_lengths(body, lengths);
            }
            Stmt::Switch { branches, .. } => branches.iter().for_each(|branch| note_lengths(branch, lengths)),
            Stmt::Launch { .. }
            | Stmt::Copy { .. }
            | Stmt::Print { .. }
            | Stmt::Gemm(_)
            | Stmt::Conv(_)
            | Stmt::Transpose(_)
            | Stmt::Sort(_)
            | Stmt::TopK(_)
            | Stmt::Library(_)
            | Stmt::Rows(_) => {}
        }
    }
}

/// The number of statements, those inside included.
pub(crate) fn weight(stmts: &[Stmt]) -> usize {
    stmts.iter().map(weight_of).sum()
}

fn weight_of(stmt: &Stmt) -> usize {
    1 + match stmt {
        Stmt::While { condition, body, .. } => weight(condition) + weight(body),
        Stmt::For { body, .. } => weight(body),
        Stmt::Rows(rows) => weight(&rows.body),
        Stmt::Switch { branches, .. } => branches.iter().map(|branch| weight(branch)).sum(),
        Stmt::Launch { .. }
        | Stmt::Copy { .. }
        | Stmt::Print { .. }
        | Stmt::Gemm(_)
        | Stmt::Conv(_)
        | Stmt::Transpose(_)
        | Stmt::Sort(_)
        | Stmt::TopK(_)
        | Stmt::Library(_) => 0,
    }
}

struct Emitter<'s, 'a, 'b, 'f> {
    ops: Ops<'b, 'f>,
    scheduler: &'s mut Scheduler<'a>,
    frame: Value,
    /// Room for the arguments of launches and routines.
    arguments: Option<(StackSlot, usize)>,
}

impl<'a> Emitter<'_, 'a, '_, '_> {
    /// Statements, as calls of functions of their own where there are many.
    fn stmts(&mut self, stmts: &'a [Stmt]) -> Result<()> {
        if weight(stmts) <= CHUNK {
            return stmts.iter().try_for_each(|stmt| self.stmt(stmt));
        }
        let mut rest = stmts;
        while !rest.is_empty() {
            let mut total = 0;
            let fitting = rest.iter().take_while(|stmt| {
                total += weight_of(stmt);
                total <= CHUNK
            });
            // A statement that is too large by itself is cut inside.
            let (part, others) = rest.split_at(fitting.count().max(1));
            if weight(part) <= CHUNK {
                let id = self.scheduler.next;
                self.scheduler.next += 1;
                self.scheduler.waiting.push((id, part));
                let signature = Callees::schedule_signature(self.scheduler.convention);
                let function = self.ops.callees.function(self.ops.builder, id, signature);
                self.ops.builder.ins().call(function, &[self.frame]);
            } else {
                self.stmt(&part[0])?;
            }
            rest = others;
        }
        Ok(())
    }

    fn stmt(&mut self, stmt: &'a Stmt) -> Result<()> {
        let Some(label) = self.scheduler.labels.get(&(&raw const *stmt)) else { return self.step(stmt) };
        let label = self.task(Task::Label(label.clone()));
        self.ops.call_for_effect(Routine::OpenSpan, &[label]);
        self.step(stmt)?;
        self.ops.call_for_effect(Routine::CloseSpan, &[]);
        Ok(())
    }

    fn step(&mut self, stmt: &'a Stmt) -> Result<()> {
        match stmt {
            Stmt::Launch { kernel, args } => {
                let serial = self.scheduler.serial.contains(&(&raw const *stmt));
                self.launch(kernel.0, args, serial)
            }
            Stmt::Copy { source, destination, len } => {
                let dtype = self.buffer_dtype(source.buffer);
                ensure!(
                    dtype == self.buffer_dtype(destination.buffer),
                    Malformed,
                    "cpu: copy between buffers of {dtype} and {}",
                    self.buffer_dtype(destination.buffer)
                );
                self.check(source, *len, "copy")?;
                self.check(destination, *len, "copy")?;
                let bytes = len * dtype.size();
                let (from, to) = (self.view(source, dtype), self.view(destination, dtype));
                if bytes <= SMALL_COPY {
                    self.ops.copy_bytes(from, to, bytes);
                } else {
                    let bytes = self.ops.word(bytes as i64);
                    self.ops.call_for_effect(Routine::Copy, &[to, from, bytes]);
                }
                Ok(())
            }
            Stmt::While { condition, predicate, body } => {
                let [head, run, after] = [(); 3].map(|()| self.ops.builder.create_block());
                self.ops.builder.ins().jump(head, &[]);
                self.ops.builder.switch_to_block(head);
                self.stmts(condition)?;
                self.check(predicate, 1, "while")?;
                let address = self.view(predicate, DType::Bool);
                let goes_on = self.ops.builder.ins().load(I8, MemFlagsData::trusted(), address, 0);
                self.ops.builder.ins().brif(goes_on, run, &[], after, &[]);
                self.ops.builder.switch_to_block(run);
                self.stmts(body)?;
                self.ops.builder.ins().jump(head, &[]);
                self.ops.builder.switch_to_block(after);
                self.forget(body);
                Ok(())
            }
            Stmt::For { counter, length, reverse, body } => self.counted(*counter, *length, *reverse, body),
            Stmt::Switch { index, branches } => self.switch(index, branches),
            Stmt::Print { format, operands } => {
                let print = DebugPrint { format: format.clone() };
                let avals = operands.iter().map(|(_, aval)| aval.clone()).collect();
                for (view, aval) in operands {
                    let parts = if aval.dtype.is_complex() { 2 } else { 1 };
                    self.check(view, aval.size() * parts, "debug_print")?;
                }
                let views: Vec<_> = operands.iter().map(|(view, aval)| (view, aval.dtype.real())).collect();
                let task = self.task(Task::Print(Box::new(PrintTask { print, operands: avals })));
                let pointers = self.pointers(&views);
                self.ops.call_for_effect(Routine::Print, &[task, pointers]);
                Ok(())
            }
            Stmt::Gemm(gemm) => {
                ensure!(
                    gemm::supports(gemm.dtype, gemm.out_dtype),
                    Unsupported,
                    "cpu: gemm has no routine for {} to {}",
                    gemm.dtype,
                    gemm.out_dtype
                );
                let mut task = gemm.clone();
                gemm::merge_batches(&mut task);
                let task = self.task(Task::Gemm(Box::new(task)));
                let (lhs, rhs) = (self.view(&gemm.lhs, gemm.dtype), self.view(&gemm.rhs, gemm.dtype));
                let out = self.view(&gemm.out, gemm.out_dtype);
                if let Some(&slot) = self.scheduler.kept.get(&(&raw const *gemm)) {
                    let slot = self.ops.builder.ins().iadd_imm_s(self.frame, 8 * slot as i64);
                    self.ops.call_for_effect(Routine::GemmKept, &[task, lhs, rhs, out, slot]);
                } else {
                    self.ops.call_for_effect(Routine::Gemm, &[task, lhs, rhs, out]);
                }
                Ok(())
            }
            Stmt::Transpose(transpose) => {
                ensure!(
                    !transpose.dtype.is_complex(),
                    Unsupported,
                    "cpu: transpose has no routine for {}",
                    transpose.dtype
                );
                self.check(&transpose.source, transpose.reach(), "transpose")?;
                self.check(&transpose.out, transpose.len(), "transpose")?;
                let task = self.task(Task::Transpose(Box::new(transpose.clone())));
                let source = self.view(&transpose.source, transpose.dtype);
                let out = self.view(&transpose.out, transpose.dtype);
                self.ops.call_for_effect(Routine::Transpose, &[task, source, out]);
                Ok(())
            }
            Stmt::Conv(conv) => {
                ensure!(
                    gemm::supports(conv.dtype, conv.out_dtype) && conv.spatial.len() <= Conv::MAX_SPATIAL,
                    Unsupported,
                    "cpu: conv has no routine for {} to {} with {} spatial axes",
                    conv.dtype,
                    conv.out_dtype,
                    conv.spatial.len()
                );
                let task = self.task(Task::Conv(Box::new(conv.clone())));
                let (lhs, rhs) = (self.view(&conv.lhs, conv.dtype), self.view(&conv.rhs, conv.dtype));
                let out = self.view(&conv.out, conv.out_dtype);
                self.ops.call_for_effect(Routine::Conv, &[task, lhs, rhs, out]);
                Ok(())
            }
            Stmt::Rows(rows) => self.rows(rows),
            Stmt::Sort(sort) => {
                ensure!(
                    u32::try_from(sort.extent).is_ok(),
                    Unsupported,
                    "cpu: sort of lines of {} elements; at most 2^32 - 1 are supported",
                    sort.extent
                );
                let sources = sort.operands.iter().map(|o| (&o.source, o.dtype));
                let destinations = sort.operands.iter().map(|o| (&o.destination, o.dtype));
                let mut views = Vec::with_capacity(2 * sort.operands.len());
                for (view, dtype) in sources.chain(destinations) {
                    let parts = if dtype.is_complex() { 2 } else { 1 };
                    self.check(view, sort.outer * sort.extent * sort.inner * parts, "sort")?;
                    views.push((view, dtype.real()));
                }
                let task = self.task(Task::Sort(Box::new(sort.clone())));
                let pointers = self.pointers(&views);
                self.ops.call_for_effect(Routine::Sort, &[task, pointers]);
                Ok(())
            }
            Stmt::Library(library) => {
                let mut views = Vec::with_capacity(library.operands.len() + library.results.len());
                for (view, aval) in library.operands.iter().chain(&library.results) {
                    let parts = if aval.dtype.is_complex() { 2 } else { 1 };
                    self.check(view, library.batch * aval.size() * parts, library.op.name())?;
                    views.push((view, aval.dtype.real()));
                }
                let task = self.task(Task::Library(Box::new(library.clone())));
                let pointers = self.pointers(&views);
                self.ops.call_for_effect(Routine::Library, &[task, pointers]);
                Ok(())
            }
            Stmt::TopK(top_k) => {
                ensure!(
                    i32::try_from(top_k.extent).is_ok(),
                    Unsupported,
                    "cpu: top_k of rows of {} elements; at most 2^31 - 1 are supported",
                    top_k.extent
                );
                ensure!(
                    !top_k.dtype.is_complex() && top_k.k <= top_k.extent,
                    Unsupported,
                    "cpu: top_k of the {} greatest of {} elements of {}",
                    top_k.k,
                    top_k.extent,
                    top_k.dtype
                );
                self.check(&top_k.source, top_k.rows * top_k.extent, "top_k")?;
                self.check(&top_k.values, top_k.rows * top_k.k, "top_k")?;
                self.check(&top_k.indices, top_k.rows * top_k.k, "top_k")?;
                let task = self.task(Task::TopK(Box::new(top_k.clone())));
                let source = self.view(&top_k.source, top_k.dtype);
                let values = self.view(&top_k.values, top_k.dtype);
                let indices = self.view(&top_k.indices, DType::I32);
                self.ops.call_for_effect(Routine::TopK, &[task, source, values, indices]);
                Ok(())
            }
        }
    }

    /// Steps over blocks of rows. The table of addresses has those of kernels and arrays in the order in which the task names them.
    fn rows(&mut self, rows: &'a Rows) -> Result<()> {
        let module = self.scheduler.module;
        let mut addresses = Vec::new();
        let mut views = Vec::new();
        for stmt in &rows.body {
            if let Stmt::Launch { kernel, args } = stmt {
                self.check_launch(kernel.0, args)?;
                let signature = Callees::kernel_signature(self.scheduler.convention);
                let function = self.ops.callees.function(self.ops.builder, kernel.0, signature);
                addresses.push((addresses.len(), function));
                views.extend(args.iter().zip(&module.kernels[kernel.index()].params).map(|(v, p)| (v, p.dtype)));
            } else if let Stmt::Gemm(gemm) = stmt {
                ensure!(
                    gemm::supports(gemm.dtype, gemm.out_dtype),
                    Unsupported,
                    "cpu: gemm has no routine for {} to {}",
                    gemm.dtype,
                    gemm.out_dtype
                );
                views.extend([(&gemm.lhs, gemm.dtype), (&gemm.rhs, gemm.dtype), (&gemm.out, gemm.out_dtype)]);
            }
        }
        let task = self.task(Task::Rows(Box::new(RowsTask::new(module, rows, self.scheduler.labels)?)));
        let table = self.words(addresses.len() + views.len());
        for &(at, function) in &addresses {
            let code = self.ops.builder.ins().func_addr(I64, function);
            self.ops.builder.ins().store(MemFlagsData::trusted(), code, table, 8 * at as i32);
        }
        for (i, (view, dtype)) in views.into_iter().enumerate() {
            if matches!(module.buffers[view.buffer.index()].space, Space::Local(_)) {
                continue;
            }
            let address = self.view(view, dtype);
            self.ops.builder.ins().store(MemFlagsData::trusted(), address, table, 8 * (addresses.len() + i) as i32);
        }
        self.ops.call_for_effect(Routine::Rows, &[task, table]);
        Ok(())
    }

    fn check_launch(&self, kernel: u32, args: &'a [View]) -> Result<&'a Kernel> {
        let module = self.scheduler.module;
        let Some(callee) = module.kernels.get(kernel as usize) else {
            bail!(Malformed, "cpu: launch of kernel @{kernel}, of which there are {}", module.kernels.len());
        };
        ensure!(
            args.len() == callee.shared_params().len(),
            Malformed,
            "cpu: launch of kernel @{kernel} with {} arguments; it has {} parameters",
            args.len(),
            callee.shared_params().len()
        );
        for (view, param) in args.iter().zip(&callee.params) {
            self.check(view, param.len, "launch")?;
        }
        Ok(callee)
    }

    fn launch(&mut self, kernel: u32, args: &'a [View], serial: bool) -> Result<()> {
        let callee = self.check_launch(kernel, args)?;
        let views: Vec<_> = args.iter().zip(&callee.params).map(|(view, param)| (view, param.dtype)).collect();
        let pointers = self.pointers(&views);
        let extent = self.ops.word(callee.range.extent as i64);
        let signature = Callees::kernel_signature(self.scheduler.convention);
        let function = self.ops.callees.function(self.ops.builder, kernel, signature);
        match grain(callee).filter(|_| !serial) {
            Some(grain) => {
                let code = self.ops.builder.ins().func_addr(I64, function);
                let grain = self.ops.word(grain as i64);
                self.ops.call_for_effect(Routine::Launch, &[code, pointers, extent, grain]);
            }
            None => {
                let begin = self.ops.word(0);
                self.ops.builder.ins().call(function, &[pointers, begin, extent]);
            }
        }
        Ok(())
    }

    fn counted(&mut self, counter: CounterId, length: usize, reverse: bool, body: &'a [Stmt]) -> Result<()> {
        if length == 0 {
            return Ok(());
        }
        ensure!(
            counter.0 < self.scheduler.module.counters,
            Malformed,
            "cpu: counter {counter} of {}",
            self.scheduler.module.counters
        );
        let (run, after) = (self.ops.builder.create_block(), self.ops.builder.create_block());
        let step = self.ops.builder.append_block_param(run, I64);
        let zero = self.ops.word(0);
        self.ops.builder.ins().jump(run, &[zero.into()]);
        self.ops.builder.switch_to_block(run);
        let value = if reverse {
            let last = self.ops.word(length as i64 - 1);
            self.ops.builder.ins().isub(last, step)
        } else {
            step
        };
        let offset = 8 * self.scheduler.frame.counter(counter) as i32;
        self.ops.builder.ins().store(MemFlagsData::trusted(), value, self.frame, offset);
        self.stmts(body)?;
        let following = self.ops.builder.ins().iadd_imm_s(step, 1);
        let goes_on = self.ops.builder.ins().icmp_imm_s(IntCC::SignedLessThan, following, length as i64);
        self.ops.builder.ins().brif(goes_on, run, &[BlockArg::from(following)], after, &[]);
        self.ops.builder.switch_to_block(after);
        self.forget(body);
        Ok(())
    }

    /// Empties the slots of a loop.
    fn forget(&mut self, body: &'a [Stmt]) {
        let Some(first) = body.first() else { return };
        for slot in self.scheduler.slots.get(&(&raw const *first)).cloned().unwrap_or_default() {
            let slot = self.ops.builder.ins().iadd_imm_s(self.frame, 8 * slot as i64);
            self.ops.call_for_effect(Routine::Forget, &[slot]);
        }
    }

    fn switch(&mut self, index: &'a View, branches: &'a [Vec<Stmt>]) -> Result<()> {
        ensure!(!branches.is_empty(), Malformed, "cpu: switch without branches");
        self.check(index, 1, "switch")?;
        let dtype = self.buffer_dtype(index.buffer);
        let address = self.view(index, dtype);
        let chosen = match dtype {
            DType::Bool => self.ops.builder.ins().uload8(I32, MemFlagsData::trusted(), address, 0),
            DType::I32 => {
                let chosen = self.ops.builder.ins().load(I32, MemFlagsData::trusted(), address, 0);
                let zero = self.ops.builder.ins().iconst(I32, 0);
                self.ops.builder.ins().smax(chosen, zero)
            }
            DType::I8
            | DType::I16
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64
            | DType::F16
            | DType::BF16
            | DType::F32
            | DType::F64
            | DType::C64
            | DType::C128
            | DType::Narrow(_) => bail!(Unsupported, "cpu: switch on {dtype}; accepted are bool and i32"),
        };
        let blocks: Vec<_> = branches.iter().map(|_| self.ops.builder.create_block()).collect();
        let after = self.ops.builder.create_block();
        let mut labels: Vec<_> = blocks.iter().map(|&block| self.ops.builder.func.dfg.block_call(block, &[])).collect();
        // Whatever is beyond the last branch takes it.
        let last = labels.pop().expect("there is a branch");
        let table = self.ops.builder.create_jump_table(JumpTableData::new(last, &labels));
        self.ops.builder.ins().br_table(chosen, table);
        for (&block, branch) in blocks.iter().zip(branches) {
            self.ops.builder.switch_to_block(block);
            self.stmts(branch)?;
            self.ops.builder.ins().jump(after, &[]);
        }
        self.ops.builder.switch_to_block(after);
        Ok(())
    }

    fn buffer_dtype(&self, buffer: BufferId) -> DType {
        self.scheduler.module.buffers[buffer.index()].dtype
    }

    /// Checks that a view has `len` elements of its buffer for every value of its counters.
    fn check(&self, view: &View, len: usize, what: &str) -> Result<()> {
        let module = self.scheduler.module;
        let Some(buffer) = module.buffers.get(view.buffer.index()) else {
            bail!(Malformed, "cpu: {what}: buffer {} of {}", view.buffer, module.buffers.len());
        };
        let mut farthest = view.offset;
        for &(counter, stride) in &view.terms {
            let Some(length) = self.scheduler.lengths.get(counter.index()) else {
                bail!(Malformed, "cpu: {what}: counter {counter} of {}", module.counters);
            };
            farthest += length.saturating_sub(1) * stride;
        }
        ensure!(
            farthest + len <= buffer.len || len == 0,
            Malformed,
            "cpu: {what}: {len} elements from {view} on, which has {}",
            buffer.len
        );
        Ok(())
    }

    /// A word of the frame.
    fn word_of_frame(&mut self, position: usize, flags: MemFlagsData) -> Value {
        self.ops.builder.ins().load(I64, flags, self.frame, 8 * position as i32)
    }

    /// A word that does not change while the program runs.
    fn address_in_frame(&mut self, position: usize) -> Value {
        self.word_of_frame(position, MemFlagsData::trusted().with_readonly().with_can_move())
    }

    fn task(&mut self, task: Task) -> Value {
        let position = self.scheduler.frame.task(self.scheduler.tasks.len());
        self.scheduler.tasks.push(task);
        self.address_in_frame(position)
    }

    /// The address where a view begins; `dtype` is that of the elements that its offsets count.
    fn view(&mut self, view: &View, dtype: DType) -> Value {
        let frame = self.scheduler.frame;
        let size = dtype.size();
        let (position, mut offset) = match self.scheduler.module.buffers[view.buffer.index()].space {
            Space::Input(i) => (frame.input(i as usize), 0),
            Space::Output(i) => (frame.output(i as usize), 0),
            Space::Const(i) => (frame.constant(i as usize), 0),
            Space::Arena(offset) => (Frame::ARENA, offset),
            Space::Local(_) => unreachable!("rows have no address for what is theirs"),
        };
        offset += view.offset * size;
        let mut address = self.address_in_frame(position);
        for &(counter, stride) in &view.terms {
            let value = self.word_of_frame(frame.counter(counter), MemFlagsData::trusted());
            let bytes = self.ops.builder.ins().imul_imm_s(value, (stride * size) as i64);
            address = self.ops.builder.ins().iadd(address, bytes);
        }
        if offset == 0 { address } else { self.ops.builder.ins().iadd_imm_s(address, offset as i64) }
    }

    /// Stores the addresses of views in a table on the stack and returns its address.
    fn pointers(&mut self, views: &[(&View, DType)]) -> Value {
        let table = self.words(views.len());
        for (i, &(view, dtype)) in views.iter().enumerate() {
            let address = self.view(view, dtype);
            self.ops.builder.ins().store(MemFlagsData::trusted(), address, table, 8 * i as i32);
        }
        table
    }

    /// A table of words on the stack.
    fn words(&mut self, count: usize) -> Value {
        let bytes = 8 * count.max(1);
        let slot = match self.arguments {
            Some((slot, room)) if room >= bytes => slot,
            Some(_) | None => {
                // Launches come one after the other, so that they can share the room.
                let room = bytes.next_power_of_two().max(64);
                let slot = self.ops.stack_slot(room);
                self.arguments = Some((slot, room));
                slot
            }
        };
        self.ops.builder.ins().stack_addr(I64, slot, 0)
    }
}
