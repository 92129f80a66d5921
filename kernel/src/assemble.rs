//! The module: work and memory put together.

use std::collections::HashMap;

use rjax_ir::{Aval, DType, Op, Result};

use crate::Options;
use crate::fuse::{self, Fusion};
use crate::graph::{Graph, NodeId, RegionId, TOP, ValueId};
use crate::kir::{
    Buffer, BufferId, Conv, Gemm, Library, LibraryOp, Module, Rows, Sort, SortOperand, Stmt, TopK, Transpose, View,
};
use crate::lower::element::parts;
use crate::memory::{self, Memory, Place, carry_count};
use crate::schedule::{Schedule, Work, schedule};

/// A program as a module, and the decisions behind it.
pub(crate) fn assemble(graph: &Graph<'_>, options: &Options) -> Result<(Module, Fusion)> {
    let fusion = fuse::fuse(graph, options);
    let Schedule { work, kernels } = schedule(graph, &fusion)?;
    let memory = memory::plan(graph, &fusion, &work, options);
    let mut assembler = Assembler { graph, fusion: &fusion, memory: &memory, buffers: vec![], numbers: HashMap::new() };
    let mut body = assembler.block(&work);
    let results = &graph.region(TOP).results;
    let mut outputs = Vec::new();
    for (&result, place) in results.iter().zip(&memory.outputs) {
        let dtype = graph.aval(result).dtype;
        outputs.push(assembler.view(place, dtype).buffer);
    }
    for (&result, place) in results.iter().zip(&memory.outputs) {
        assembler.copy(result, place, &mut body);
    }
    let module = Module {
        inputs: graph.inputs.iter().map(|&v| graph.aval(v).clone()).collect(),
        outputs: results.iter().map(|&v| graph.aval(v).clone()).collect(),
        results: outputs,
        buffers: assembler.buffers,
        consts: graph.consts.iter().map(|&tensor| tensor.clone()).collect(),
        kernels,
        body,
        arena_bytes: memory.arena_bytes,
        counters: memory.counters,
    };
    Ok((module, fusion))
}

struct Assembler<'a, 'p> {
    graph: &'a Graph<'p>,
    fusion: &'a Fusion,
    memory: &'a Memory,
    buffers: Vec<Buffer>,
    numbers: HashMap<Buffer, BufferId>,
}

impl Assembler<'_, '_> {
    /// A place seen as an array of a dtype.
    fn view(&mut self, place: &Place, dtype: DType) -> View {
        let part = dtype.real();
        let size = part.size();
        let buffer = Buffer { dtype: part, len: place.whole / size, space: self.memory.space(place.storage) };
        let next = BufferId(self.buffers.len() as u32);
        let buffer = *self.numbers.entry(buffer).or_insert_with(|| {
            self.buffers.push(buffer);
            next
        });
        let terms = place.terms.iter().map(|&(counter, bytes)| (counter, bytes / size)).collect();
        View { buffer, offset: place.offset / size, terms }
    }

    fn place(&self, value: ValueId) -> &Place {
        self.memory.place(self.graph, self.fusion, value)
    }

    fn view_of(&mut self, value: ValueId) -> View {
        let place = self.place(value).clone();
        self.view(&place, self.graph.aval(value).dtype)
    }

    /// Copies a value to a place unless it is there.
    fn copy(&mut self, value: ValueId, to: &Place, stmts: &mut Vec<Stmt>) {
        let aval = self.graph.aval(value);
        let from = self.place(value).clone();
        if from == *to || aval.size() == 0 {
            return;
        }
        let (source, destination) = (self.view(&from, aval.dtype), self.view(to, aval.dtype));
        stmts.push(Stmt::Copy { source, destination, len: aval.size() * parts(aval.dtype) });
    }

    fn copy_between(&mut self, from: &Place, to: &Place, value: ValueId, stmts: &mut Vec<Stmt>) {
        let aval = self.graph.aval(value);
        let (source, destination) = (self.view(from, aval.dtype), self.view(to, aval.dtype));
        stmts.push(Stmt::Copy { source, destination, len: aval.size() * parts(aval.dtype) });
    }

    fn block(&mut self, work: &[Work]) -> Vec<Stmt> {
        let mut stmts = Vec::new();
        for step in work {
            self.step(step, &mut stmts);
        }
        stmts
    }

    fn step(&mut self, step: &Work, stmts: &mut Vec<Stmt>) {
        match step {
            Work::Launch { kernel, args, .. } => {
                let args = args.iter().map(|&arg| self.view_of(arg)).collect();
                stmts.push(Stmt::Launch { kernel: *kernel, args });
            }
            Work::Update { kernel, args, target, result } => {
                let place = self.place(*result).clone();
                self.copy(*target, &place, stmts);
                let args = args.iter().map(|&arg| self.view_of(arg)).collect();
                stmts.push(Stmt::Launch { kernel: *kernel, args });
            }
            Work::Copy { target, result } => {
                let place = self.place(*result).clone();
                self.copy(*target, &place, stmts);
            }
            Work::Gemm(id) => stmts.push(Stmt::Gemm(self.gemm(*id))),
            Work::Accumulate(id) => {
                let place = self.place(self.graph.node(*id).outputs[0]).clone();
                self.copy(self.fusion.accumulated[id].target, &place, stmts);
                stmts.push(Stmt::Gemm(Gemm { add: true, ..self.gemm(*id) }));
            }
            Work::Conv(id) => stmts.push(Stmt::Conv(self.conv(*id))),
            Work::Rows { rows, block, body, .. } => {
                let body = self.block(body);
                stmts.push(Stmt::Rows(Rows { rows: *rows, block: *block, body }));
            }
            Work::Transpose(id) => stmts.push(Stmt::Transpose(self.transpose(*id))),
            Work::Sort(id) => stmts.push(Stmt::Sort(self.sort(*id))),
            Work::TopK(id) => stmts.push(Stmt::TopK(self.top_k(*id))),
            Work::Library(id) => stmts.push(Stmt::Library(self.library(*id))),
            Work::Print(id) => {
                let node = self.graph.node(*id);
                let Op::DebugPrint(print) = node.op else { return };
                let operands = node.inputs.iter().map(|&x| (self.view_of(x), self.graph.aval(x).clone())).collect();
                stmts.push(Stmt::Print { format: print.format.clone(), operands });
            }
            Work::Cond { node, branches } => {
                let node = self.graph.node(*node);
                let index = self.view_of(node.inputs[0]);
                let mut bodies = Vec::new();
                for (&region, branch) in node.regions.iter().zip(branches) {
                    let mut body = self.block(branch);
                    for (&result, &output) in self.graph.region(region).results.iter().zip(&node.outputs) {
                        let place = self.place(output).clone();
                        self.copy(result, &place, &mut body);
                    }
                    bodies.push(body);
                }
                stmts.push(Stmt::Switch { index, branches: bodies });
            }
            Work::While { node: id, condition, body } => {
                let node = self.graph.node(*id);
                self.start_carries(*id, stmts);
                let condition = self.block(condition);
                let predicate = self.view_of(self.graph.region(node.regions[0]).results[0]);
                let mut body = self.block(body);
                self.end_carries(*id, node.regions[1], &mut body);
                stmts.push(Stmt::While { condition, predicate, body });
            }
            Work::Scan { node: id, body } => {
                let node = self.graph.node(*id);
                let Op::Scan(scan) = node.op else { return };
                self.start_carries(*id, stmts);
                let mut body = self.block(body);
                let counter = self.memory.counter[id];
                let results = &self.graph.region(node.regions[0]).results;
                for (&result, &output) in results[scan.num_carry..].iter().zip(&node.outputs[scan.num_carry..]) {
                    let mut place = self.place(output).clone();
                    place.terms.push((counter, self.graph.aval(result).bytes()));
                    self.copy(result, &place, &mut body);
                }
                self.end_carries(*id, node.regions[0], &mut body);
                stmts.push(Stmt::For { counter, length: scan.length, reverse: scan.reverse, body });
            }
        }
    }

    /// Initial values go where the carried values are.
    fn start_carries(&mut self, id: NodeId, stmts: &mut Vec<Stmt>) {
        let node = self.graph.node(id);
        for i in 0..carry_count(node) {
            let place = self.place(node.outputs[i]).clone();
            self.copy(node.inputs[i], &place, stmts);
        }
    }

    /// New carried values that are not there yet replace the old ones; old ones that trade places are set aside before.
    fn end_carries(&mut self, id: NodeId, region: RegionId, stmts: &mut Vec<Stmt>) {
        let node = self.graph.node(id);
        let results = &self.graph.region(region).results;
        let mut copies = Vec::new();
        for (i, &result) in results.iter().enumerate().take(carry_count(node)) {
            let place = self.place(node.outputs[i]).clone();
            match self.memory.staging.get(&(id, i)) {
                Some(staging) => {
                    self.copy(result, staging, stmts);
                    if self.graph.aval(result).size() > 0 {
                        self.copy_between(staging, &place, result, &mut copies);
                    }
                }
                None => self.copy(result, &place, &mut copies),
            }
        }
        stmts.append(&mut copies);
    }

    fn gemm(&mut self, id: NodeId) -> Gemm {
        let node = self.graph.node(id);
        let operands = &self.fusion.gemms[&id];
        let mut lhs = self.view_of(operands.lhs.base);
        let mut rhs = self.view_of(operands.rhs.base);
        lhs.offset += operands.lhs.offset;
        rhs.offset += operands.rhs.offset;
        Gemm {
            dtype: self.graph.aval(node.inputs[0]).dtype,
            out_dtype: self.graph.aval(node.outputs[0]).dtype,
            batch: operands.batch.clone(),
            m: operands.m,
            n: operands.n,
            k: operands.k,
            outer_k: operands.outer_k.clone(),
            lhs,
            rhs,
            out: self.view_of(node.outputs[0]),
            add: false,
        }
    }

    fn conv(&mut self, id: NodeId) -> Conv {
        let node = self.graph.node(id);
        let operands = &self.fusion.convs[&id];
        let mut lhs = self.view_of(operands.lhs.base);
        let mut rhs = self.view_of(operands.rhs.base);
        lhs.offset += operands.lhs.offset;
        rhs.offset += operands.rhs.offset;
        Conv {
            dtype: self.graph.aval(node.inputs[0]).dtype,
            out_dtype: self.graph.aval(node.outputs[0]).dtype,
            batch: operands.batch,
            group: operands.group,
            input: operands.input,
            output: operands.output,
            spatial: operands.spatial.clone(),
            lhs,
            rhs,
            out: self.view_of(node.outputs[0]),
        }
    }

    fn transpose(&mut self, id: NodeId) -> Transpose {
        let operand = &self.fusion.transposes[&id];
        let out = self.graph.node(id).outputs[0];
        let mut source = self.view_of(operand.source.base);
        source.offset += operand.source.offset;
        Transpose { dtype: self.graph.aval(out).dtype, axes: operand.axes.clone(), source, out: self.view_of(out) }
    }

    fn sort(&mut self, id: NodeId) -> Sort {
        let node = self.graph.node(id);
        let Op::Sort(sort) = node.op else { unreachable!("a sort step is a sort") };
        let shape = &self.graph.aval(node.inputs[0]).shape;
        let operands = node
            .inputs
            .iter()
            .zip(&node.outputs)
            .map(|(&x, &y)| SortOperand {
                dtype: self.graph.aval(x).dtype,
                source: self.view_of(x),
                destination: self.view_of(y),
            })
            .collect();
        Sort {
            outer: shape[..sort.axis].iter().product(),
            extent: shape[sort.axis],
            inner: shape[sort.axis + 1..].iter().product(),
            num_keys: sort.num_keys,
            stable: sort.stable,
            operands,
        }
    }

    fn library(&mut self, id: NodeId) -> Library {
        let node = self.graph.node(id);
        let first = self.graph.aval(node.inputs[0]);
        let (op, batch_rank) = if let Op::Linalg(linalg) = node.op {
            (LibraryOp::Linalg(*linalg), linalg.batch_rank(first))
        } else if let Op::Fft(fft) = node.op {
            (LibraryOp::Fft(fft.clone()), first.rank() - fft.lengths.len())
        } else {
            unreachable!("a library step is linear algebra or a transform")
        };
        let batch = first.shape[..batch_rank].iter().product();
        let mut views = |values: &[ValueId]| {
            let one = |aval: &Aval| Aval::new(aval.dtype, aval.shape[batch_rank..].to_vec());
            values.iter().map(|&value| (self.view_of(value), one(self.graph.aval(value)))).collect()
        };
        Library { op, batch, operands: views(&node.inputs), results: views(&node.outputs) }
    }

    fn top_k(&mut self, id: NodeId) -> TopK {
        let node = self.graph.node(id);
        let Op::TopK { k } = node.op else { unreachable!("a top_k step is a top_k") };
        let aval = self.graph.aval(node.inputs[0]);
        let (&extent, rows) = aval.shape.split_last().expect("verified: the operand has an axis");
        TopK {
            dtype: aval.dtype,
            rows: rows.iter().product(),
            extent,
            k: *k,
            source: self.view_of(node.inputs[0]),
            values: self.view_of(node.outputs[0]),
            indices: self.view_of(node.outputs[1]),
        }
    }
}
