//! Steps that go over the same rows are done block by block, where that keeps large arrays between them in cache: scores, softmax and
//! weighted sum of an attention, a wide layer and what follows it.
//!
//! A chain begins with a product. Launches and products that follow join it if they use the rows of what the chain writes one by one; steps in between
//! that do not, and that the chain does not need, come after it. It is worth it if enough bytes then exist for one block at a time only.

use std::collections::{HashMap, HashSet};

use super::{Scheduler, Work, memory_root};
use crate::graph::{NodeId, RegionId, ValueId};
use crate::kir::{Access, Gemm, Kernel, KernelId, View};
use crate::lower::finish::widen_range;

/// Bytes that must not go through memory for a chain to pay.
const LEAST_LOCAL: usize = 2 << 20;
/// What a block's rows of all arrays that the chain writes may take.
const BLOCK_BYTES: usize = 1280 << 10;
/// The least rows of a block: each block packs the right operands of products anew.
const LEAST_ROWS: usize = 64;
/// How many steps a chain may have, and how many others may lie between them.
const STEPS: usize = 12;
const SKIPPED: usize = 16;

/// A chain that is being put together.
struct Chain {
    rows: usize,
    /// Divides the rows of every product.
    unit: usize,
    /// The steps, and with which kernels.
    steps: Vec<(usize, Option<Kernel>)>,
    written: Vec<ValueId>,
}

impl Scheduler<'_, '_> {
    /// The work of a region with chains put together.
    pub(super) fn in_rows(&mut self, region: RegionId, work: Vec<Work>) -> Vec<Work> {
        if !work.iter().any(|step| matches!(step, Work::Gemm(_))) {
            return work;
        }
        let mut readers: HashMap<ValueId, Vec<usize>> = HashMap::new();
        for (i, step) in work.iter().enumerate() {
            self.note_reads(step, i, &mut readers);
        }
        let escaping: HashSet<ValueId> = self.graph.region(region).results.iter().map(|&v| self.root(v)).collect();
        let mut work: Vec<Option<Work>> = work.into_iter().map(Some).collect();
        let mut done = Vec::new();
        for first in 0..work.len() {
            if let Some(chain) = self.chain(&work, first)
                && let Some(step) = self.put_together(chain, &readers, &escaping, &mut work)
            {
                done.push(step);
            } else if let Some(step) = work[first].take() {
                done.push(step);
            }
        }
        done
    }

    fn root(&self, value: ValueId) -> ValueId {
        memory_root(self.graph, self.fusion, value)
    }

    fn note_reads(&self, step: &Work, at: usize, readers: &mut HashMap<ValueId, Vec<usize>>) {
        for value in step.reads(self.graph, self.fusion) {
            readers.entry(self.root(value)).or_default().push(at);
        }
        for (region, block) in step.blocks(self.graph) {
            block.iter().for_each(|inner| self.note_reads(inner, at, readers));
            for &result in &self.graph.region(region).results {
                readers.entry(self.root(result)).or_default().push(at);
            }
        }
    }

    /// The chain that begins with a step.
    fn chain(&self, work: &[Option<Work>], first: usize) -> Option<Chain> {
        let Some(Work::Gemm(id)) = &work[first] else { return None };
        let gemm = self.rows_of(*id)?;
        if self.graph.aval(self.graph.node(*id).outputs[0]).bytes() < LEAST_LOCAL / STEPS {
            return None;
        }
        let mut chain = Chain { rows: gemm.rows(), unit: gemm.m.extent, steps: vec![(first, None)], written: vec![] };
        chain.written.extend(&self.graph.node(*id).outputs);
        let mut skipped: HashSet<ValueId> = HashSet::new();
        let mut count = 0;
        for (at, step) in work.iter().enumerate().skip(first + 1) {
            let Some(step) = step else { continue };
            if chain.steps.len() == STEPS {
                break;
            }
            let reads: Vec<ValueId> = step.reads(self.graph, self.fusion).iter().map(|&v| self.root(v)).collect();
            let ready = !reads.iter().any(|read| skipped.contains(read));
            let follows = reads.iter().any(|read| chain.written.contains(read));
            if !(ready && follows && self.join(&mut chain, at, step)) {
                count += 1;
                if count > SKIPPED || !step.blocks(self.graph).is_empty() || matches!(step, Work::Print(_)) {
                    break;
                }
                skipped.extend(step.results(self.graph));
            }
        }
        Some(chain)
    }

    /// Takes a step into a chain if it goes over the chain's rows.
    fn join(&self, chain: &mut Chain, at: usize, step: &Work) -> bool {
        match step {
            Work::Gemm(id) => {
                let operands = &self.fusion.gemms[id];
                let (lhs, rhs) = (self.root(operands.lhs.base), self.root(operands.rhs.base));
                let Some(gemm) = self.rows_of(*id).filter(|gemm| gemm.rows() == chain.rows) else { return false };
                let whole = operands.lhs.offset == 0 && gemm.rows_follow(self.graph.aval(lhs).size(), |axis| axis.lhs);
                if chain.written.contains(&rhs) || chain.written.contains(&lhs) && !whole {
                    return false;
                }
                chain.unit = greatest_common_divisor(chain.unit, gemm.m.extent);
                chain.steps.push((at, None));
                chain.written.extend(&self.graph.node(*id).outputs);
                true
            }
            Work::Launch { kernel, args, access, .. } => {
                let mut kernel = self.kernels[kernel.index()].clone();
                while !kernel.range.extent.is_multiple_of(chain.rows) {
                    let Some(wide) = widen_range(&kernel) else { return false };
                    kernel = wide;
                }
                let own = kernel.own_parts();
                let mut uses = args.iter().zip(access).zip(own);
                let fits = uses.all(|((&arg, access), own)| {
                    own || *access == Access::Read && !chain.written.contains(&self.root(arg))
                });
                if !fits {
                    return false;
                }
                chain.steps.push((at, Some(kernel)));
                chain.written.extend(step.results(self.graph));
                true
            }
            Work::Update { .. }
            | Work::Copy { .. }
            | Work::Accumulate(_)
            | Work::Conv(_)
            | Work::Transpose(_)
            | Work::Sort(_)
            | Work::TopK(_)
            | Work::Library(_)
            | Work::Print(_)
            | Work::Cond { .. }
            | Work::While { .. }
            | Work::Scan { .. }
            | Work::Rows { .. } => false,
        }
    }

    /// A dot as a product whose result's rows follow each other; its views say nothing.
    fn rows_of(&self, id: NodeId) -> Option<Gemm> {
        let operands = &self.fusion.gemms[&id];
        let output = self.graph.node(id).outputs[0];
        let nowhere = View { buffer: crate::kir::BufferId(0), offset: 0, terms: vec![] };
        let gemm = Gemm {
            dtype: self.graph.aval(self.graph.node(id).inputs[0]).dtype,
            out_dtype: self.graph.aval(output).dtype,
            batch: operands.batch.clone(),
            m: operands.m,
            n: operands.n,
            k: operands.k,
            outer_k: operands.outer_k.clone(),
            lhs: nowhere.clone(),
            rhs: nowhere.clone(),
            out: nowhere,
            add: false,
        };
        gemm.rows_follow(self.graph.aval(output).size(), |axis| axis.out).then_some(gemm)
    }

    /// The chain as one step, if it pays.
    fn put_together(
        &mut self,
        chain: Chain,
        readers: &HashMap<ValueId, Vec<usize>>,
        escaping: &HashSet<ValueId>,
        work: &mut [Option<Work>],
    ) -> Option<Work> {
        let members: HashSet<usize> = chain.steps.iter().map(|&(at, _)| at).collect();
        let is_local = |value: &ValueId| {
            let readers = readers.get(value).map_or(&[][..], Vec::as_slice);
            !escaping.contains(value) && readers.iter().all(|reader| members.contains(reader))
        };
        let local: Vec<ValueId> = chain.written.iter().copied().filter(is_local).collect();
        let bytes = |values: &[ValueId]| values.iter().map(|&v| self.graph.aval(v).bytes()).sum::<usize>();
        let most = BLOCK_BYTES / bytes(&chain.written).div_ceil(chain.rows).max(1);
        let block = (1..=chain.unit.min(most)).rev().find(|block| chain.unit.is_multiple_of(*block))?;
        if bytes(&local) < LEAST_LOCAL || block < LEAST_ROWS.min(chain.unit) || block == chain.rows {
            return None;
        }
        let mut body = Vec::new();
        for (at, kernel) in chain.steps {
            let mut step = work[at].take().expect("a member is there");
            if let (Work::Launch { kernel: number, .. }, Some(kernel)) = (&mut step, kernel) {
                *number = KernelId(self.kernels.len() as u32);
                self.kernels.push(kernel);
            }
            body.push(step);
        }
        Some(Work::Rows { rows: chain.rows, block, body, local })
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
