//! Kernels with several outputs: roots of one shape whose inputs are ready at the same time.
//!
//! Every step has a slot, and depends on steps with lower slots only. A root may join an earlier group of its shape if all
//! it reads comes from lower slots than the group's, or from the group itself at the same position.

use std::collections::HashMap;

use rjax_ir::Shape;

use super::cost::{self, Cost};
use super::{Fate, Fuser, MAX_RECORDED, Step, frame};
use crate::graph::{NodeId, RegionId, ValueId};

/// How many groups of one shape are considered for joining.
const CANDIDATES: usize = 4;
/// How many roots a group may have, and how many nodes in all.
const MAX_ROOTS: usize = 64;
const MAX_NODES: u32 = 240;
/// Groups of arrays up to this size are merged even if they share nothing, to save launches.
const SMALL: usize = 256;

struct Group {
    step: usize,
    nodes: u32,
    reads: Vec<ValueId>,
}

/// For each region its steps.
pub(super) fn group(fuser: &mut Fuser<'_, '_>) -> Vec<Vec<Step>> {
    let regions = 0..fuser.graph.regions.len() as u32;
    let mut steps = vec![vec![]; fuser.graph.regions.len()];
    // The step that a root belongs to, in its region.
    let mut slots: Vec<usize> = vec![0; fuser.graph.nodes.len()];
    for region in regions {
        steps[region as usize] = group_region(fuser, RegionId(region), &mut slots);
    }
    for steps in &mut steps {
        for step in steps {
            if let Step::Group { roots, stored } = step {
                *stored = roots.iter().map(|&root| is_read_elsewhere(fuser, root, roots)).collect();
            }
        }
    }
    steps
}

fn group_region(fuser: &mut Fuser<'_, '_>, region: RegionId, slots: &mut [usize]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut open: HashMap<Shape, Vec<Group>> = HashMap::new();
    for &id in &fuser.graph.region(region).nodes {
        if fuser.fate[id.index()] != Fate::Root {
            continue;
        }
        if !is_pulled(fuser, id) {
            slots[id.index()] = steps.len();
            steps.push(Step::Node(id));
            continue;
        }
        let shape = fuser.graph.aval(fuser.graph.node(id).outputs[0]).shape.clone();
        let (reads, nodes) = reads(fuser, id);
        let groups = open.entry(shape.clone()).or_default();
        let found = groups.iter_mut().rev().take(CANDIDATES).find(|group| {
            let Step::Group { roots, .. } = &steps[group.step] else { return false };
            let room = roots.len() < MAX_ROOTS && group.nodes + nodes <= MAX_NODES;
            let shares = || {
                shape.size() <= SMALL || {
                    reads.iter().any(|read| group.reads.contains(&read.value) || is_of(fuser, read.value, roots))
                }
            };
            room && shares() && reads.iter().all(|&read| is_ready(fuser, read, region, group.step, roots, id, slots))
        });
        match found {
            Some(group) => {
                let Step::Group { roots, .. } = &mut steps[group.step] else { continue };
                roots.push(id);
                slots[id.index()] = group.step;
                group.nodes += nodes;
                for Read { value, .. } in reads {
                    if group.reads.len() < 64 && !group.reads.contains(&value) {
                        group.reads.push(value);
                    }
                }
            }
            None => {
                slots[id.index()] = steps.len();
                let reads = reads.iter().map(|read| read.value).collect();
                groups.push(Group { step: steps.len(), nodes, reads });
                steps.push(Step::Group { roots: vec![id], stored: vec![] });
            }
        }
    }
    steps
}

fn is_of(fuser: &Fuser<'_, '_>, value: ValueId, roots: &[NodeId]) -> bool {
    fuser.graph.producer(value).is_some_and(|producer| roots.contains(&producer))
}

/// Whether a value is there when the group at `slot` runs, or is computed by it at the same position.
fn is_ready(
    fuser: &Fuser<'_, '_>,
    read: Read,
    region: RegionId,
    slot: usize,
    roots: &[NodeId],
    reader: NodeId,
    slots: &[usize],
) -> bool {
    let Some(producer) = fuser.graph.producer(read.value) else { return true };
    if fuser.graph.values[read.value.index()].region != region || slots[producer.index()] < slot {
        return true;
    }
    !read.elsewhere && roots.contains(&producer) && reads_in_place(fuser, producer, reader)
}

/// Whether a kernel's root asks for another root's elements only at its own position.
fn reads_in_place(fuser: &Fuser<'_, '_>, producer: NodeId, reader: NodeId) -> bool {
    let own = fuser.frames.root_of(reader);
    let same = |frame| own.is_some_and(|own| fuser.frames.same_position(frame, own));
    fuser.sites[producer.index()].len() < MAX_RECORDED
        && fuser.sites[producer.index()].iter().all(|&(kernel, frame)| kernel != reader || same(frame))
}

/// Whether some other kernel, or the same one at another position, needs the root in memory.
fn is_read_elsewhere(fuser: &Fuser<'_, '_>, root: NodeId, roots: &[NodeId]) -> bool {
    let elsewhere = |kernel, frame| match fuser.frames.root_of(kernel) {
        Some(own) => !fuser.frames.same_position(frame, own),
        None => true,
    };
    fuser.forced[root.index()]
        || fuser.sites[root.index()].iter().any(|&(kernel, frame)| !roots.contains(&kernel) || elsewhere(kernel, frame))
}

/// Whether a root is computed position by position in a group.
fn is_pulled(fuser: &Fuser<'_, '_>, id: NodeId) -> bool {
    !fuser.gemms.contains_key(&id)
        && !fuser.convs.contains_key(&id)
        && !fuser.transposes.contains_key(&id)
        && cost::of(fuser.graph, fuser.graph.node(id)) != Cost::OwnStep
}

/// A value in memory that a kernel reads, views resolved.
#[derive(Clone, Copy)]
struct Read {
    value: ValueId,
    /// At computed positions, or through a view.
    elsewhere: bool,
}

/// What computing a root reads, and how many nodes it takes.
fn reads(fuser: &Fuser<'_, '_>, root: NodeId) -> (Vec<Read>, u32) {
    let mut reads = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut pending: Vec<Read> = Vec::new();
    let push = |pending: &mut Vec<Read>, id: NodeId| {
        let node = fuser.graph.node(id);
        pending.extend(
            node.inputs
                .iter()
                .enumerate()
                .map(|(i, &value)| Read { value, elsewhere: frame::reads_memory(fuser.graph, node, i) }),
        );
    };
    push(&mut pending, root);
    let mut nodes = 1;
    while let Some(read) = pending.pop() {
        if !seen.insert((read.value, read.elsewhere)) {
            continue;
        }
        match fuser.graph.producer(read.value) {
            Some(producer) => match fuser.fate[producer.index()] {
                Fate::Inline => {
                    nodes += 1;
                    push(&mut pending, producer);
                }
                Fate::Alias => pending.push(Read { value: fuser.graph.node(producer).inputs[0], elsewhere: true }),
                Fate::Root => reads.push(read),
                Fate::Dead => unreachable!("a used node is not dead"),
            },
            None => reads.push(read),
        }
    }
    (reads, nodes)
}
