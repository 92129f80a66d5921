//! Ops that planning makes, kept as long as the graph whose nodes refer to them.

use std::cell::{Cell, OnceCell};

use rjax_ir::Op;

/// Room for ops; what was put in stays where it is.
#[derive(Default)]
pub(crate) struct Ops {
    first: OnceCell<Box<Link>>,
}

struct Link {
    op: Op,
    next: OnceCell<Box<Link>>,
}

impl Drop for Ops {
    fn drop(&mut self) {
        // One after the other: a long chain would be dropped by deep recursion.
        let mut next = self.first.take();
        while let Some(mut link) = next {
            next = link.next.take();
        }
    }
}

/// Where the next op goes.
pub(super) struct End<'p>(Cell<&'p OnceCell<Box<Link>>>);

impl<'p> End<'p> {
    pub fn of(ops: &'p Ops) -> End<'p> {
        End(Cell::new(&ops.first))
    }

    pub fn keep(&self, op: Op) -> &'p Op {
        let link = self.0.get().get_or_init(|| Box::new(Link { op, next: OnceCell::new() }));
        self.0.set(&link.next);
        &link.op
    }
}
