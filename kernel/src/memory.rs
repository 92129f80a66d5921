//! The buffer plan: where every array lives, and when its memory is free for another.
//!
//! Steps are numbered in the order in which they run. An array lives from the step that defines it to the last step that reads it;
//! what is read in a loop but defined outside lives until the loop ends. Results of the program, of branches and of
//! loop bodies are written where they must end up, where that is safe; updates and elementwise kernels write into the memory of an
//! operand that is not needed any more. What remains is packed into one arena.

mod arena;

use std::collections::{HashMap, HashSet};

use rjax_ir::{Aval, Op};

use crate::Options;
use crate::fuse::Fusion;
use crate::graph::{Graph, Node, NodeId, RegionId, Source, TOP, ValueId};
use crate::kir::{ALIGNMENT, Access, CounterId, Space};
use crate::schedule::{Work, memory_root};

/// A position in the table of storages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct StorageId(usize);

/// A piece of memory.
#[derive(Clone, Debug)]
struct Storage {
    bytes: usize,
    /// Given from outside; others go to the arena.
    fixed: Option<Space>,
    /// Whether its uses over time are laid down already, so that no other value may move in.
    pinned: bool,
    first: usize,
    last: usize,
}

/// Where a value is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Place {
    pub storage: StorageId,
    /// In bytes.
    pub offset: usize,
    /// Counters of loops around, and how many bytes each step is.
    pub terms: Vec<(CounterId, usize)>,
    /// Bytes of the array that this is, or is a part of.
    pub whole: usize,
}

/// The plan.
pub(crate) struct Memory {
    /// For each value that owns or shares memory; views have the place of what they are views of.
    places: Vec<Option<Place>>,
    spaces: Vec<Space>,
    pub arena_bytes: usize,
    pub counters: u32,
    /// The counter of each scan.
    pub counter: HashMap<NodeId, CounterId>,
    /// Memory for carried values that trade places, by loop and position.
    pub staging: HashMap<(NodeId, usize), Place>,
    /// For each output its place at the end.
    pub outputs: Vec<Place>,
}

impl Memory {
    pub fn place(&self, graph: &Graph<'_>, fusion: &Fusion, value: ValueId) -> &Place {
        let root = memory_root(graph, fusion, value);
        self.places[root.index()].as_ref().expect("every array that is used has a place")
    }

    pub fn space(&self, storage: StorageId) -> Space {
        self.spaces[storage.0]
    }
}

struct Planner<'a, 'p> {
    graph: &'a Graph<'p>,
    fusion: &'a Fusion,
    storages: Vec<Storage>,
    places: Vec<Option<Place>>,
    /// Where a value should be written.
    desired: HashMap<ValueId, Place>,
    /// For each value that owns memory: the last step that reads it.
    last_use: Vec<usize>,
    /// For each node or group the step in which its values begin to be written.
    defined: Vec<usize>,
    /// First and last step of each control-flow node.
    spans: HashMap<NodeId, (usize, usize)>,
    counters: u32,
    counter: HashMap<NodeId, CounterId>,
    staging: HashMap<(NodeId, usize), Place>,
    donated: Vec<bool>,
    /// Results of kernels that may be written over an operand.
    in_place: HashSet<(ValueId, ValueId)>,
}

pub(crate) fn plan(graph: &Graph<'_>, fusion: &Fusion, work: &[Work], options: &Options) -> Memory {
    let count = graph.values.len();
    let mut planner = Planner {
        graph,
        fusion,
        storages: vec![],
        places: vec![None; count],
        desired: HashMap::new(),
        last_use: vec![0; count],
        defined: vec![0; count],
        spans: HashMap::new(),
        counters: 0,
        counter: HashMap::new(),
        staging: HashMap::new(),
        donated: (0..graph.inputs.len()).map(|i| options.donate.get(i).copied().unwrap_or(false)).collect(),
        in_place: HashSet::new(),
    };
    let mut clock = 1;
    planner.number(work, &mut clock);
    let end = clock;
    planner.uses(work, &mut 1, &mut vec![(TOP, None)]);
    for &result in &graph.region(TOP).results {
        planner.used(result, end, &[(TOP, None)]);
    }
    for (i, &input) in graph.inputs.iter().enumerate() {
        planner.fixed(input, Space::Input(i as u32));
    }
    for (i, value) in graph.values.iter().enumerate() {
        if let Source::Const(number) = value.source {
            planner.fixed(ValueId(i as u32), Space::Const(number));
        }
    }
    for (i, value) in graph.values.iter().enumerate() {
        if value.aval.size() == 0 && planner.places[i].is_none() {
            let storage = planner.storage(0, None);
            planner.places[i] = Some(planner.whole(storage));
        }
    }
    planner.locals(work);
    let outputs = planner.outputs();
    // As the carried values of a loop, donated inputs must have been read before something is written over them.
    let donated = graph.inputs.iter().zip(&planner.donated).filter(|(_, donated)| **donated);
    let donated = donated.filter_map(|(&input, _)| planner.storage_of(input).map(|storage| (storage, input))).collect();
    planner.claim(TOP, work, &mut 1, &donated);
    planner.assign(work, &mut 1);
    let (offsets, arena_bytes) = arena::pack(
        planner.storages.iter().map(|s| if s.fixed.is_some() { (0, 0, 0) } else { (s.bytes, s.first, s.last) }),
    );
    let spaces =
        planner.storages.iter().zip(offsets).map(|(s, offset)| s.fixed.unwrap_or(Space::Arena(offset))).collect();
    Memory {
        places: planner.places,
        spaces,
        arena_bytes,
        counters: planner.counters,
        counter: planner.counter,
        staging: planner.staging,
        outputs,
    }
}

impl Work {
    /// The values that a step defines, and the node for control flow.
    pub(crate) fn results(&self, graph: &Graph<'_>) -> Vec<ValueId> {
        match self {
            Work::Launch { args, access, .. } => {
                args.iter().zip(access).filter(|(_, a)| **a != Access::Read).map(|(&v, _)| v).collect()
            }
            Work::Update { result, .. } | Work::Copy { result, .. } => vec![*result],
            Work::Gemm(id)
            | Work::Accumulate(id)
            | Work::Conv(id)
            | Work::Transpose(id)
            | Work::Sort(id)
            | Work::TopK(id)
            | Work::Library(id)
            | Work::Print(id) => graph.node(*id).outputs.clone(),
            Work::Cond { node, .. } | Work::While { node, .. } | Work::Scan { node, .. } => {
                graph.node(*node).outputs.clone()
            }
            Work::Rows { body, .. } => body.iter().flat_map(|step| step.results(graph)).collect(),
        }
    }

    /// The values that a step reads, those of blocks inside left out.
    pub(crate) fn reads(&self, graph: &Graph<'_>, fusion: &Fusion) -> Vec<ValueId> {
        match self {
            Work::Launch { args, access, .. } => {
                args.iter().zip(access).filter(|(_, a)| **a == Access::Read).map(|(&v, _)| v).collect()
            }
            Work::Update { args, target, result, .. } => {
                args.iter().copied().filter(|v| v != result).chain([*target]).collect()
            }
            Work::Copy { target, .. } => vec![*target],
            Work::Gemm(id) => {
                let operands = &fusion.gemms[id];
                vec![operands.lhs.base, operands.rhs.base]
            }
            Work::Accumulate(id) => {
                let operands = &fusion.gemms[id];
                vec![operands.lhs.base, operands.rhs.base, fusion.accumulated[id].target]
            }
            Work::Conv(id) => {
                let operands = &fusion.convs[id];
                vec![operands.lhs.base, operands.rhs.base]
            }
            Work::Transpose(id) => vec![fusion.transposes[id].source.base],
            Work::Sort(id) | Work::TopK(id) | Work::Library(id) | Work::Print(id) => graph.node(*id).inputs.clone(),
            Work::Cond { node, .. } | Work::While { node, .. } | Work::Scan { node, .. } => {
                graph.node(*node).inputs.clone()
            }
            Work::Rows { body, .. } => body.iter().flat_map(|step| step.reads(graph, fusion)).collect(),
        }
    }

    /// The blocks inside with their regions.
    pub(crate) fn blocks(&self, graph: &Graph<'_>) -> Vec<(RegionId, &[Work])> {
        match self {
            Work::Cond { node, branches } => {
                graph.node(*node).regions.iter().copied().zip(branches.iter().map(Vec::as_slice)).collect()
            }
            Work::While { node, condition, body } => {
                let regions = &graph.node(*node).regions;
                vec![(regions[0], condition), (regions[1], body)]
            }
            Work::Scan { node, body } => vec![(graph.node(*node).regions[0], body)],
            Work::Launch { .. }
            | Work::Update { .. }
            | Work::Copy { .. }
            | Work::Gemm(_)
            | Work::Accumulate(_)
            | Work::Conv(_)
            | Work::Transpose(_)
            | Work::Sort(_)
            | Work::TopK(_)
            | Work::Library(_)
            | Work::Print(_)
            | Work::Rows { .. } => vec![],
        }
    }

    fn node(&self) -> Option<NodeId> {
        match self {
            Work::Cond { node, .. } | Work::While { node, .. } | Work::Scan { node, .. } => Some(*node),
            Work::Launch { .. }
            | Work::Update { .. }
            | Work::Copy { .. }
            | Work::Gemm(_)
            | Work::Accumulate(_)
            | Work::Conv(_)
            | Work::Transpose(_)
            | Work::Sort(_)
            | Work::TopK(_)
            | Work::Library(_)
            | Work::Print(_)
            | Work::Rows { .. } => None,
        }
    }
}

/// How many values a loop carries.
pub(crate) fn carry_count(node: &Node<'_>) -> usize {
    if let Op::Scan(scan) = node.op { scan.num_carry } else { node.outputs.len() }
}

/// The regions around a step; for loop bodies with the last step of the loop.
type Around = Vec<(RegionId, Option<usize>)>;

impl Planner<'_, '_> {
    fn root(&self, value: ValueId) -> ValueId {
        memory_root(self.graph, self.fusion, value)
    }

    fn bytes(&self, value: ValueId) -> usize {
        self.graph.aval(value).bytes()
    }

    fn storage(&mut self, bytes: usize, fixed: Option<Space>) -> StorageId {
        self.storages.push(Storage { bytes, fixed, pinned: false, first: usize::MAX, last: 0 });
        StorageId(self.storages.len() - 1)
    }

    fn whole(&self, storage: StorageId) -> Place {
        Place { storage, offset: 0, terms: vec![], whole: self.storages[storage.0].bytes }
    }

    fn fixed(&mut self, value: ValueId, space: Space) {
        let storage = self.storage(self.bytes(value), Some(space));
        self.places[value.index()] = Some(self.whole(storage));
    }

    /// Places for what exists for one block of rows at a time.
    fn locals(&mut self, work: &[Work]) {
        for step in work {
            if let Work::Rows { local, .. } = step {
                let mut offset = 0;
                for &value in local {
                    self.fixed(value, Space::Local(offset));
                    offset += self.bytes(value).next_multiple_of(ALIGNMENT);
                }
            }
            step.blocks(self.graph).into_iter().for_each(|(_, block)| self.locals(block));
        }
    }

    /// Extends a storage's life.
    fn live(&mut self, storage: StorageId, first: usize, last: usize) {
        let storage = &mut self.storages[storage.0];
        storage.first = storage.first.min(first);
        storage.last = storage.last.max(last);
    }

    // Time.

    /// Numbers the steps: control flow takes one before its blocks, and one after each block.
    fn number(&mut self, work: &[Work], clock: &mut usize) {
        for step in work {
            let start = *clock;
            *clock += 1;
            for (_, block) in step.blocks(self.graph) {
                self.number(block, clock);
                *clock += 1;
            }
            if let Some(node) = step.node() {
                self.spans.insert(node, (start, *clock - 1));
            }
            for result in step.results(self.graph) {
                self.defined[result.index()] = start;
            }
            if let Work::Launch { args, in_place, .. } = step {
                let roots: Vec<ValueId> = args.iter().map(|&arg| self.root(arg)).collect();
                for &(read, written) in in_place {
                    if roots.iter().filter(|&&root| root == roots[read]).count() == 1 {
                        self.in_place.insert((args[written], roots[read]));
                    }
                }
            }
        }
    }

    fn uses(&mut self, work: &[Work], clock: &mut usize, around: &mut Around) {
        for step in work {
            let start = *clock;
            *clock += 1;
            for value in step.reads(self.graph, self.fusion) {
                self.used(value, start, around);
            }
            let span = step.node().map(|node| self.spans[&node]);
            let is_loop = matches!(step, Work::While { .. } | Work::Scan { .. });
            for (region, block) in step.blocks(self.graph) {
                around.push((region, span.filter(|_| is_loop).map(|(_, end)| end)));
                self.uses(block, clock, around);
                for &result in &self.graph.region(region).results {
                    self.used(result, *clock, around);
                }
                around.pop();
                *clock += 1;
            }
            if let Work::Scan { node, .. } = step {
                // Scanned arrays are read in every iteration.
                let node = self.graph.node(*node);
                for &input in &node.inputs[carry_count(node)..] {
                    self.used(input, span.map_or(start, |(_, end)| end), around);
                }
            }
        }
    }

    /// Records that a value is read in a step; in a loop that it comes from outside of, until the loop's end.
    fn used(&mut self, value: ValueId, step: usize, around: &[(RegionId, Option<usize>)]) {
        let root = self.root(value);
        let home = self.graph.values[root.index()].region;
        let depth = around.iter().position(|&(region, _)| region == home).unwrap_or(0);
        let step = around[depth + 1..].iter().find_map(|&(_, end)| end).unwrap_or(step);
        let last = &mut self.last_use[root.index()];
        *last = (*last).max(step);
    }

    // Wishes.

    /// The places of the program's outputs: provided by the caller, or the memory of a donated input that is free by then.
    fn outputs(&mut self) -> Vec<Place> {
        let mut free: HashMap<Aval, Vec<ValueId>> = HashMap::new();
        for (&input, _) in self.graph.inputs.iter().zip(&self.donated).rev().filter(|(_, donated)| **donated) {
            free.entry(self.graph.aval(input).clone()).or_default().push(input);
        }
        let mut outputs = Vec::new();
        for (i, result) in self.graph.region(TOP).results.clone().into_iter().enumerate() {
            let root = self.root(result);
            let is_new = self.graph.producer(root).is_some() && !self.desired.contains_key(&root);
            let candidates = free.get_mut(self.graph.aval(result));
            let reused = candidates.and_then(|inputs| {
                let fits = |&input: &ValueId| {
                    let (read, written) = (self.last_use[input.index()], self.defined[root.index()]);
                    input == root || is_new && (read < written || read == written && self.moves_in_place(root, input))
                };
                let found = inputs.iter().rposition(fits)?;
                Some(inputs.remove(found))
            });
            let place = match reused {
                Some(input) => self.places[input.index()].clone().expect("inputs have places"),
                None => {
                    let storage = self.storage(self.bytes(result), Some(Space::Output(i as u32)));
                    self.whole(storage)
                }
            };
            if is_new {
                self.desired.insert(root, place.clone());
            }
            outputs.push(place);
        }
        outputs
    }

    /// Whether the step that defines a value can write over an array that it reads for the last time: an update of it, or a loop that
    /// carries it on.
    fn moves_in_place(&self, value: ValueId, operand: ValueId) -> bool {
        if self.in_place.contains(&(value, operand)) {
            return true;
        }
        let Some(id) = self.graph.producer(value) else { return false };
        let node = self.graph.node(id);
        let carried = |count: usize| {
            let position = node.outputs.iter().position(|&output| output == value);
            position.is_some_and(|i| i < count && self.root(node.inputs[i]) == operand)
        };
        if matches!(node.op, Op::While(_) | Op::Scan(_)) {
            return carried(carry_count(node));
        }
        if let Some(accumulated) = self.fusion.accumulated.get(&id) {
            return self.root(accumulated.target) == operand;
        }
        matches!(node.op, Op::DynamicUpdateSlice | Op::Scatter(_)) && self.root(node.inputs[0]) == operand
    }

    /// From the last step to the first: operands that an update, a kernel or a loop takes over want the place of its result.
    fn claim(&mut self, region: RegionId, work: &[Work], clock: &mut usize, carried: &HashMap<StorageId, ValueId>) {
        let mut starts = Vec::new();
        for step in work {
            starts.push(*clock);
            *clock += 1;
            if let Some(node) = step.node() {
                *clock = self.spans[&node].1 + 1;
            }
        }
        for (step, &start) in work.iter().zip(&starts).rev() {
            match step {
                Work::Update { target, result, .. } | Work::Copy { target, result } => {
                    if let Some(place) = self.desired.get(result).cloned() {
                        self.wish(region, *target, place, start, carried);
                    }
                }
                Work::Accumulate(id) => {
                    if let Some(place) = self.desired.get(&self.graph.node(*id).outputs[0]).cloned() {
                        self.wish(region, self.fusion.accumulated[id].target, place, start, carried);
                    }
                }
                Work::Cond { node, branches } => {
                    let outputs = self.graph.node(*node).outputs.clone();
                    let places: Vec<Place> = outputs.iter().map(|&output| self.own_place(output)).collect();
                    let mut clock = start + 1;
                    for (&branch, block) in self.graph.node(*node).regions.iter().zip(branches) {
                        let results = self.graph.region(branch).results.clone();
                        for (&result, place) in results.iter().zip(&places) {
                            self.wish(branch, result, place.clone(), usize::MAX, carried);
                        }
                        self.claim(branch, block, &mut clock, carried);
                        clock += 1;
                    }
                }
                Work::While { node, condition, body } => {
                    let places = self.carry_places(region, *node, start, carried);
                    let regions = self.graph.node(*node).regions.clone();
                    self.bring_in(regions[0], &places);
                    self.bring_in(regions[1], &places);
                    let mut clock = start + 1;
                    self.claim(regions[0], condition, &mut clock, carried);
                    clock += 1;
                    self.claim_body(*node, regions[1], &places, body, &mut clock, carried);
                }
                Work::Scan { node, body } => {
                    let Op::Scan(scan) = self.graph.node(*node).op else { continue };
                    let places = &self.carry_places(region, *node, start, carried)[..];
                    let region = self.graph.node(*node).regions[0];
                    let counter = CounterId(self.counters);
                    self.counters += 1;
                    self.counter.insert(*node, counter);
                    self.bring_in(region, places);
                    let outputs = self.graph.node(*node).outputs.clone();
                    let results = self.graph.region(region).results.clone();
                    for (&result, &output) in results[scan.num_carry..].iter().zip(&outputs[scan.num_carry..]) {
                        let mut place = self.own_place(output);
                        place.terms.push((counter, self.bytes(result)));
                        self.wish(region, result, place, usize::MAX, carried);
                    }
                    let mut clock = start + 1;
                    self.claim_body(*node, region, places, body, &mut clock, carried);
                }
                Work::Launch { args, in_place, .. } => {
                    for (w, &value) in args.iter().enumerate() {
                        let Some(place) = self.desired.get(&value).cloned() else { continue };
                        // One operand, which waits where the result will be.
                        for &(r, _) in in_place.iter().filter(|pair| pair.1 == w) {
                            let alone = self.in_place.contains(&(value, self.root(args[r])));
                            if alone && self.wish(region, args[r], place.clone(), start, carried) {
                                break;
                            }
                        }
                    }
                }
                Work::Gemm(_)
                | Work::Conv(_)
                | Work::Transpose(_)
                | Work::Sort(_)
                | Work::TopK(_)
                | Work::Library(_)
                | Work::Print(_)
                | Work::Rows { .. } => {}
            }
        }
    }

    /// The place of a control-flow result: the desired one, or new memory that stays its own.
    fn own_place(&mut self, output: ValueId) -> Place {
        let place = match self.desired.get(&output) {
            Some(place) => place.clone(),
            None => {
                let storage = self.storage(self.bytes(output), None);
                self.storages[storage.0].pinned = true;
                self.whole(storage)
            }
        };
        self.places[output.index()] = Some(place.clone());
        let (first, last) = (self.defined[output.index()], self.last_use[output.index()]);
        self.live(place.storage, first, last.max(self.span_end(output)));
        place
    }

    fn span_end(&self, output: ValueId) -> usize {
        let node = self.graph.producer(output).expect("control flow");
        self.spans[&node].1
    }

    /// The places of carried values. An initial value that is needed for nothing else is computed there.
    fn carry_places(
        &mut self,
        region: RegionId,
        node: NodeId,
        start: usize,
        carried: &HashMap<StorageId, ValueId>,
    ) -> Vec<Place> {
        let count = carry_count(self.graph.node(node));
        let outputs = self.graph.node(node).outputs[..count].to_vec();
        let mut places = Vec::new();
        for (i, &output) in outputs.iter().enumerate() {
            let place = self.own_place(output);
            let init = self.graph.node(node).inputs[i];
            // A value that several carries begin with is copied to all but one of them.
            self.wish(region, init, place.clone(), start, carried);
            places.push(place);
        }
        places
    }

    fn bring_in(&mut self, region: RegionId, places: &[Place]) {
        let params = self.graph.region(region).params.clone();
        for (&param, place) in params.iter().zip(places) {
            self.places[param.index()] = Some(place.clone());
        }
    }

    /// The results of a loop's body go to the carried values' memory where the old values are not needed any more.
    fn claim_body(
        &mut self,
        node: NodeId,
        region: RegionId,
        places: &[Place],
        body: &[Work],
        clock: &mut usize,
        carried: &HashMap<StorageId, ValueId>,
    ) {
        let params = self.graph.region(region).params.clone();
        let results = self.graph.region(region).results.clone();
        let mut inner = carried.clone();
        for (&param, place) in params.iter().zip(places) {
            inner.insert(place.storage, param);
        }
        for (i, (&result, place)) in results.iter().zip(places).enumerate() {
            let root = self.root(result);
            if root == params[i] {
                continue;
            }
            if params[..places.len()].contains(&root) {
                let storage = self.storage(self.bytes(result), None);
                let (start, end) = self.spans[&node];
                self.live(storage, start, end);
                self.staging.insert((node, i), self.whole(storage));
            } else {
                self.wish(region, result, place.clone(), usize::MAX, &inner);
            }
        }
        self.claim(region, body, clock, &inner);
    }

    /// Asks for a value to be written at a place: one that the region computes and that is not read after `until`, if a carried value
    /// that is there is not needed any more. Says whether it will be.
    fn wish(
        &mut self,
        region: RegionId,
        value: ValueId,
        place: Place,
        until: usize,
        carried: &HashMap<StorageId, ValueId>,
    ) -> bool {
        let root = self.root(value);
        let is_new = self.graph.producer(root).is_some() && self.places[root.index()].is_none();
        if !is_new || self.desired.contains_key(&root) || self.last_use[root.index()] > until {
            return false;
        }
        if self.graph.values[root.index()].region != region {
            return false;
        }
        if let Some(&param) = carried.get(&place.storage) {
            let (read, written) = (self.last_use[param.index()], self.defined[root.index()]);
            if read > written || read == written && !self.moves_in_place(root, param) {
                return false;
            }
        }
        self.desired.insert(root, place);
        true
    }

    // Places.

    fn assign(&mut self, work: &[Work], clock: &mut usize) {
        for step in work {
            let start = *clock;
            *clock += 1;
            match step {
                Work::Launch { args, access, in_place, .. } => self.assign_launch(args, access, in_place, start),
                Work::Update { target, result, .. } | Work::Copy { target, result } => {
                    self.assign_update(*target, *result, start);
                }
                Work::Accumulate(id) => {
                    let result = self.graph.node(*id).outputs[0];
                    self.assign_update(self.fusion.accumulated[id].target, result, start);
                }
                Work::Gemm(id)
                | Work::Conv(id)
                | Work::Transpose(id)
                | Work::Sort(id)
                | Work::TopK(id)
                | Work::Library(id) => {
                    for output in self.graph.node(*id).outputs.clone() {
                        self.assign_value(output, start);
                    }
                }
                Work::Print(_) => {}
                // As one step: what any of its steps reads lives until all have run.
                Work::Rows { .. } => {
                    step.results(self.graph).into_iter().for_each(|output| self.assign_value(output, start));
                }
                Work::Scan { node, .. } => self.bring_in_slices(*node),
                Work::Cond { .. } | Work::While { .. } => {}
            }
            for (region, block) in step.blocks(self.graph) {
                self.assign(block, clock);
                for result in self.graph.region(region).results.clone() {
                    self.keep(result);
                }
                *clock += 1;
            }
        }
    }

    /// A value's storage lives as long as the value.
    fn keep(&mut self, value: ValueId) {
        let root = self.root(value);
        if let Some(place) = &self.places[root.index()] {
            let storage = place.storage;
            self.live(storage, usize::MAX, self.last_use[root.index()]);
        }
    }

    /// Slices of scanned arrays are views.
    fn bring_in_slices(&mut self, node: NodeId) {
        let Op::Scan(scan) = self.graph.node(node).op else { return };
        let params = self.graph.region(self.graph.node(node).regions[0]).params.clone();
        let counter = self.counter[&node];
        for (i, &param) in params.iter().enumerate().skip(scan.num_carry) {
            let array = self.root(self.graph.node(node).inputs[i]);
            let mut place = self.places[array.index()].clone().expect("scanned arrays are in memory");
            place.terms.push((counter, self.bytes(param)));
            self.places[param.index()] = Some(place);
        }
    }

    fn assign_value(&mut self, value: ValueId, start: usize) {
        if self.places[value.index()].is_some() {
            return;
        }
        let place = match self.desired.get(&value) {
            Some(place) => place.clone(),
            None => {
                let storage = self.storage(self.bytes(value), None);
                self.whole(storage)
            }
        };
        self.put(value, place, start);
    }

    fn put(&mut self, value: ValueId, place: Place, start: usize) {
        self.live(place.storage, start, start.max(self.last_use[value.index()]));
        self.places[value.index()] = Some(place);
    }

    fn assign_launch(&mut self, args: &[ValueId], access: &[Access], in_place: &[(usize, usize)], start: usize) {
        let mut taken: Vec<StorageId> = Vec::new();
        for (w, &value) in args.iter().enumerate().filter(|&(w, _)| access[w] != Access::Read) {
            if self.places[value.index()].is_none() && !self.desired.contains_key(&value) {
                let reads = in_place.iter().filter(|pair| pair.1 == w).map(|pair| args[pair.0]);
                let reused = reads.filter_map(|read| self.dying(read, start)).find(|storage| {
                    // Nothing else of this launch may touch it.
                    let touching = args.iter().filter(|&&arg| self.storage_of(arg) == Some(*storage)).count();
                    touching == 1 && !taken.contains(storage)
                });
                if let Some(storage) = reused {
                    taken.push(storage);
                    let place = self.whole(storage);
                    self.put(value, place, start);
                    continue;
                }
            }
            self.assign_value(value, start);
        }
    }

    fn storage_of(&self, value: ValueId) -> Option<StorageId> {
        self.places[self.root(value).index()].as_ref().map(|place| place.storage)
    }

    /// The storage of a value that is read here for the last time, if another value may move in.
    fn dying(&self, value: ValueId, step: usize) -> Option<StorageId> {
        let root = self.root(value);
        let place = self.places[root.index()].as_ref()?;
        let storage = &self.storages[place.storage.0];
        let owned = storage.fixed.is_none() && !storage.pinned && self.graph.producer(root).is_some();
        let free = owned && self.last_use[root.index()] == step && storage.last == step && place.terms.is_empty();
        free.then_some(place.storage)
    }

    /// The result of an update lives in its target's memory where the target is not needed any more.
    fn assign_update(&mut self, target: ValueId, result: ValueId, start: usize) {
        let root = self.root(target);
        let place = self.places[root.index()].clone().expect("the target is in memory");
        let free = match self.desired.get(&result) {
            Some(desired) => *desired == place && self.last_use[root.index()] == start,
            None => self.last_use[root.index()] == start && self.may_overwrite(root, &place),
        };
        if free && self.places[result.index()].is_none() {
            self.put(result, place, start);
        } else {
            self.assign_value(result, start);
        }
    }

    /// Whether an array's memory may hold another value once the array is not needed any more.
    fn may_overwrite(&self, root: ValueId, place: &Place) -> bool {
        let storage = &self.storages[place.storage.0];
        storage.fixed.is_none() && !storage.pinned && self.graph.producer(root).is_some() && place.terms.is_empty()
    }
}
