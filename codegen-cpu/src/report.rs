//! What a module's kernels cost and how they are run, for people who want to know what is slow.

use std::fmt::Write;

use rjax_kernel::kir::{Access, Inst, Kernel, Loop, Module, Order, Reg};

use crate::routines::{grain, launches};

/// For each kernel its loops, the memory it touches, the time it is expected to take on one thread and the parts in which threads share it;
/// then the schedule that calls them.
pub fn schedule_text(module: &Module) -> String {
    let mut text = String::new();
    let launches = launches(module);
    for (id, kernel) in module.kernels.iter().enumerate() {
        let mut launches = launches.iter().filter(|launch| launch.kernel.0 as usize == id).peekable();
        let serial = launches.peek().is_some() && launches.all(|launch| launch.serial);
        describe(&mut text, id, kernel, serial).expect("strings take all that is written");
    }
    let schedule = Module { kernels: vec![], ..module.clone() };
    text + schedule.to_string().trim_start()
}

fn describe(text: &mut String, id: usize, kernel: &Kernel, serial: bool) -> std::fmt::Result {
    let nanoseconds = kernel.nanoseconds();
    write!(text, "kernel @{id} {}: {:.2} us on one thread, ", kernel.class.name(), nanoseconds / 1e3)?;
    match grain(kernel).filter(|_| !serial) {
        None => writeln!(text, "run as a whole")?,
        Some(grain) => writeln!(text, "shared in {} parts", kernel.range.extent.div_ceil(grain))?,
    }
    let [reads, writes, local] = traffic(kernel);
    writeln!(text, "  reads {reads} bytes, writes {writes} bytes, local {local} bytes")?;
    loops(text, &kernel.body, kernel, 1)
}

/// Bytes that a kernel reads, writes, and has for itself.
pub(crate) fn traffic(kernel: &Kernel) -> [usize; 3] {
    let bytes = |counts: &[Access]| -> usize {
        let params = kernel.params.iter().filter(|param| counts.contains(&param.access));
        params.map(|param| param.len * param.dtype.size()).sum()
    };
    [&[Access::Read, Access::ReadWrite][..], &[Access::Write, Access::ReadWrite], &[Access::Local]].map(bytes)
}

fn loops(text: &mut String, insts: &[Inst], kernel: &Kernel, depth: usize) -> std::fmt::Result {
    let pad = "  ".repeat(depth);
    for inst in insts {
        match inst {
            Inst::Loop(l) => {
                let order = match l.order {
                    Order::Sequential => "in order",
                    Order::Vector => "vector",
                    Order::VectorReduce => "vector-reduce",
                    Order::Independent => "independent",
                };
                let simple = l.body.iter().filter(|inst| inst.blocks().iter().all(|block| block.is_empty())).count();
                writeln!(text, "{pad}loop of {} {order}, {simple} instructions", extent(l, kernel))?;
                loops(text, &l.body, kernel, depth + 1)?;
            }
            Inst::If(branch) => {
                writeln!(text, "{pad}branch")?;
                loops(text, &branch.then, kernel, depth + 1)?;
                loops(text, &branch.otherwise, kernel, depth + 1)?;
            }
            Inst::While(w) => {
                writeln!(text, "{pad}while")?;
                loops(text, &w.condition, kernel, depth + 1)?;
                loops(text, &w.body, kernel, depth + 1)?;
            }
            Inst::Let { .. }
            | Inst::Load { .. }
            | Inst::Store { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. } => {}
        }
    }
    Ok(())
}

/// How many iterations a loop has, as far as that is known.
fn extent(l: &Loop, kernel: &Kernel) -> String {
    let is = |index: &rjax_kernel::kir::Index, register: Reg| index.as_reg() == Some(register);
    if is(&l.begin, kernel.range.begin) && is(&l.end, kernel.range.end) {
        format!("{} (range)", kernel.range.extent)
    } else if l.begin.terms == l.end.terms {
        (l.end.constant - l.begin.constant).to_string()
    } else {
        "a computed number".into()
    }
}
