//! Fusion's steps as work: kernels written, control flow as a tree, every array still named by its value.

mod rows;

use std::collections::HashMap;

use rjax_ir::{Op, Result};

use crate::fuse::{Fate, Fusion, Step};
use crate::graph::{Graph, NodeId, RegionId, TOP, ValueId};
use crate::join::join_rows;
use crate::kir::{Access, Index, Inst, Kernel, KernelId, Loop};
use crate::lower::{self, Lowered};

/// A step whose arrays have no place yet.
#[derive(Debug)]
pub(crate) enum Work {
    /// A kernel.
    Launch {
        kernel: KernelId,
        args: Vec<ValueId>,
        /// For each argument how the kernel uses it.
        access: Vec<Access>,
        /// Pairs of a read and a written argument that may be the same memory.
        in_place: Vec<(usize, usize)>,
    },
    /// A kernel that changes parts of an array: the result begins as a copy of `target`, or in its memory.
    Update {
        kernel: KernelId,
        args: Vec<ValueId>,
        target: ValueId,
        result: ValueId,
    },
    /// Nothing is written, because the result is the target as it is.
    Copy {
        target: ValueId,
        result: ValueId,
    },
    Gemm(NodeId),
    /// A product added to an array, which it replaces.
    Accumulate(NodeId),
    Conv(NodeId),
    Transpose(NodeId),
    Sort(NodeId),
    TopK(NodeId),
    Library(NodeId),
    Print(NodeId),
    Cond {
        node: NodeId,
        branches: Vec<Vec<Work>>,
    },
    While {
        node: NodeId,
        condition: Vec<Work>,
        body: Vec<Work>,
    },
    Scan {
        node: NodeId,
        body: Vec<Work>,
    },
    /// Launches and products that go over the same rows, block after block.
    Rows {
        rows: usize,
        block: usize,
        body: Vec<Work>,
        /// Values that nothing else reads.
        local: Vec<ValueId>,
    },
}

impl Work {
    /// A launch of a kernel, which is added to those of the program.
    pub fn launch(lowered: Lowered, kernels: &mut Vec<Kernel>) -> Work {
        let access = lowered.kernel.shared_params().iter().map(|p| p.access).collect();
        let in_place = in_place_pairs(&lowered.kernel);
        let kernel = KernelId(kernels.len() as u32);
        kernels.push(lowered.kernel);
        Work::Launch { kernel, args: lowered.args, access, in_place }
    }
}

/// All work, and the kernels it needs.
pub(crate) struct Schedule {
    pub work: Vec<Work>,
    pub kernels: Vec<Kernel>,
}

struct Scheduler<'a, 'p> {
    graph: &'a Graph<'p>,
    fusion: &'a Fusion,
    /// One for each launch that was written, also for those that are no more.
    kernels: Vec<Kernel>,
}

pub(crate) fn schedule(graph: &Graph<'_>, fusion: &Fusion) -> Result<Schedule> {
    let mut scheduler = Scheduler { graph, fusion, kernels: vec![] };
    let mut work = scheduler.region(TOP)?;
    let mut written: Vec<_> = scheduler.kernels.into_iter().map(Some).collect();
    let mut numbering = Numbering { kernels: vec![], numbers: HashMap::new(), known: HashMap::new() };
    numbering.number(&mut work, &mut written);
    Ok(Schedule { work, kernels: numbering.kernels })
}

/// Numbers for the kernels of launches, in the order of the schedule. Equal kernels are one.
struct Numbering {
    kernels: Vec<Kernel>,
    numbers: HashMap<Kernel, KernelId>,
    /// The numbers of kernels by their numbers before.
    known: HashMap<KernelId, KernelId>,
}

impl Numbering {
    fn number(&mut self, work: &mut [Work], written: &mut [Option<Kernel>]) {
        for step in work {
            match step {
                Work::Launch { kernel, .. } | Work::Update { kernel, .. } => *kernel = self.of(*kernel, written),
                Work::Cond { branches, .. } => branches.iter_mut().for_each(|branch| self.number(branch, written)),
                Work::While { condition, body, .. } => {
                    self.number(condition, written);
                    self.number(body, written);
                }
                Work::Scan { body, .. } | Work::Rows { body, .. } => self.number(body, written),
                Work::Copy { .. }
                | Work::Gemm(_)
                | Work::Accumulate(_)
                | Work::Conv(_)
                | Work::Transpose(_)
                | Work::Sort(_)
                | Work::TopK(_)
                | Work::Library(_)
                | Work::Print(_) => {}
            }
        }
    }

    fn of(&mut self, old: KernelId, written: &mut [Option<Kernel>]) -> KernelId {
        if let Some(&known) = self.known.get(&old) {
            return known;
        }
        let kernel = written[old.index()].take().expect("every launch was written once");
        let next = KernelId(self.kernels.len() as u32);
        let id = *self.numbers.entry(kernel.clone()).or_insert(next);
        if id == next {
            self.kernels.push(kernel);
        }
        self.known.insert(old, id);
        id
    }
}

impl Scheduler<'_, '_> {
    fn region(&mut self, region: RegionId) -> Result<Vec<Work>> {
        let mut work = Vec::new();
        let fusion = self.fusion;
        for step in &fusion.steps[region.index()] {
            match step {
                Step::Group { roots, stored } => {
                    let empty = self.graph.aval(self.graph.node(roots[0]).outputs[0]).size() == 0;
                    if !empty && stored.contains(&true) {
                        let lowered = lower::group(self.graph, self.fusion, roots, stored)
                            .map_err(|e| e.at(self.graph.node(roots[0]).location))?;
                        work.push(self.launch(lowered));
                    }
                }
                Step::Node(id) => {
                    if let Some(step) = self.node(*id)? {
                        work.push(step);
                    }
                }
            }
        }
        if self.fusion.joins_rows {
            join_rows(self.graph, self.fusion, &mut work, &mut self.kernels);
        }
        Ok(self.in_rows(region, work))
    }

    fn node(&mut self, id: NodeId) -> Result<Option<Work>> {
        let node = self.graph.node(id);
        let empty = node.outputs.iter().all(|&y| self.graph.aval(y).size() == 0);
        if self.fusion.in_registers.contains(&id) {
            let lowered = lower::own_step(self.graph, self.fusion, id).map_err(|e| e.at(node.location))?;
            return Ok(Some(self.launch(lowered)));
        }
        if let Op::Cond { .. } = node.op {
            let branches = node.regions.iter().map(|&region| self.region(region)).collect::<Result<_>>()?;
            return Ok(Some(Work::Cond { node: id, branches }));
        }
        if let Op::While(_) = node.op {
            let (condition, body) = (self.region(node.regions[0])?, self.region(node.regions[1])?);
            return Ok(Some(Work::While { node: id, condition, body }));
        }
        if let Op::Scan(_) = node.op {
            return Ok(Some(Work::Scan { node: id, body: self.region(node.regions[0])? }));
        }
        if let Op::DebugPrint(_) = node.op {
            return Ok(Some(Work::Print(id)));
        }
        if empty {
            return Ok(None);
        }
        if self.fusion.accumulated.contains_key(&id) {
            return Ok(Some(Work::Accumulate(id)));
        }
        if let Op::DotGeneral(_) = node.op {
            return Ok(Some(Work::Gemm(id)));
        }
        if self.fusion.transposes.contains_key(&id) {
            return Ok(Some(Work::Transpose(id)));
        }
        if let Op::Conv(_) = node.op {
            return Ok(Some(Work::Conv(id)));
        }
        if let Op::Sort(_) = node.op {
            return Ok(Some(Work::Sort(id)));
        }
        if let Op::TopK { .. } = node.op {
            return Ok(Some(Work::TopK(id)));
        }
        if matches!(node.op, Op::Linalg(_) | Op::Fft(_)) {
            return Ok(Some(Work::Library(id)));
        }
        if matches!(node.op, Op::DynamicUpdateSlice | Op::Scatter(_)) {
            return Ok(Some(self.update(id)?));
        }
        let lowered = lower::own_step(self.graph, self.fusion, id).map_err(|e| e.at(node.location))?;
        Ok(Some(self.launch(lowered)))
    }

    fn update(&mut self, id: NodeId) -> Result<Work> {
        let node = self.graph.node(id);
        let (target, result) = (node.inputs[0], node.outputs[0]);
        let updates = if matches!(node.op, Op::Scatter(_)) { node.inputs[2] } else { node.inputs[1] };
        if self.graph.aval(updates).size() == 0 {
            return Ok(Work::Copy { target, result });
        }
        let lowered = lower::own_step(self.graph, self.fusion, id).map_err(|e| e.at(node.location))?;
        let kernel = KernelId(self.kernels.len() as u32);
        self.kernels.push(lowered.kernel);
        Ok(Work::Update { kernel, args: lowered.args, target, result })
    }

    fn launch(&mut self, lowered: Lowered) -> Work {
        Work::launch(lowered, &mut self.kernels)
    }
}

/// The value whose memory a value is.
pub(crate) fn memory_root(graph: &Graph<'_>, fusion: &Fusion, mut value: ValueId) -> ValueId {
    while let Some(id) = graph.producer(value) {
        if fusion.fate[id.index()] != Fate::Alias {
            break;
        }
        value = graph.node(id).inputs[0];
    }
    value
}

/// A load or store of a parameter.
struct Touch<'k> {
    /// The block, counted in order of appearance, and the place in it.
    block: usize,
    place: usize,
    index: &'k Index,
    masked: bool,
    /// The loop whose body the block is.
    around: Option<&'k Loop>,
}

/// The loads and stores of each parameter.
fn touches(kernel: &Kernel) -> Vec<Vec<Touch<'_>>> {
    fn walk<'k>(insts: &'k [Inst], around: Option<&'k Loop>, blocks: &mut usize, touches: &mut [Vec<Touch<'k>>]) {
        let block = *blocks;
        *blocks += 1;
        for (place, inst) in insts.iter().enumerate() {
            let touch = |index, masked| Touch { block, place, index, masked, around };
            match inst {
                Inst::Load { param, index, mask, .. } => {
                    touches[param.index()].push(touch(index, mask.is_some()));
                }
                Inst::Store { param, index, .. } => touches[param.index()].push(touch(index, false)),
                Inst::Let { .. }
                | Inst::Complex { .. }
                | Inst::Threefry { .. }
                | Inst::Loop(_)
                | Inst::If(_)
                | Inst::While(_) => {}
            }
            let around = if let Inst::Loop(l) = inst { Some(l) } else { None };
            for inner in inst.blocks() {
                if !inner.is_empty() {
                    walk(inner, around, blocks, touches);
                }
            }
        }
    }
    let mut touches: Vec<Vec<Touch<'_>>> = kernel.params.iter().map(|_| vec![]).collect();
    walk(&kernel.body, None, &mut 0, &mut touches);
    touches
}

/// Whether stores are those of the pieces of one loop, so that no two of them write the same element.
fn are_pieces(stores: &[Touch<'_>]) -> bool {
    let mut pieces = Vec::new();
    for store in stores {
        let Some(l) = store.around else { return stores.len() == 1 };
        let (begin, end) = (l.begin.as_constant(), l.end.as_constant());
        let (Some(begin), Some(end)) = (begin, end) else { return stores.len() == 1 };
        let mut rest = store.index.clone();
        rest.terms.retain(|&(r, _)| r != l.variable);
        pieces.push((begin, end, store.index.coefficient(l.variable), rest));
    }
    pieces.sort_by_key(|&(begin, ..)| begin);
    pieces.windows(2).all(|two| {
        let [(_, end, step, rest), (begin, _, next_step, next_rest)] = two else { unreachable!("windows of two") };
        end <= begin && *step != 0 && step == next_step && rest == next_rest
    })
}

/// Pairs of parameters that the rules for kernels let share memory: wherever the second is written, the same element of the first has been read
/// just before, and nowhere else.
fn in_place_pairs(kernel: &Kernel) -> Vec<(usize, usize)> {
    let touches = touches(kernel);
    let mut pairs = Vec::new();
    for (r, read) in kernel.params.iter().enumerate().filter(|(_, p)| p.access == Access::Read) {
        for (w, written) in kernel.params.iter().enumerate().filter(|(_, p)| p.access == Access::Write) {
            let same_size = read.len == written.len && read.dtype.size() == written.dtype.size();
            let (loads, stores) = (&touches[r], &touches[w]);
            let same_place = loads.iter().zip(stores).all(|(load, store)| {
                let before = load.block == store.block && load.place < store.place;
                // Loads of scalars are hoisted out of the one iteration.
                let hoisted = load.block == 0 && kernel.range.extent == 1 && load.index.as_constant().is_some();
                !load.masked && load.index == store.index && (before || hoisted && store.block > 0)
            });
            let both = !stores.is_empty() && loads.len() == stores.len();
            if same_size && both && same_place && are_pieces(stores) {
                pairs.push((r, w));
            }
        }
    }
    pairs
}
