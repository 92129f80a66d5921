//! The text of modules and kernels: stable from run to run, made to be read and to be snapshot-tested.
//!
//! ```text
//! kernel @0 map 0..12 (p0: read f32[12], p1: write f32[12]) {
//!   for %2 in %0 .. %1 vector {
//!     %3: f32 = load p0[%2]
//!     %4: f32 = sin %3
//!     store p1[%2], %4
//!   }
//! }
//! ```

use std::fmt::{self, Display, Formatter};

use super::{
    Access, Buffer, BufferId, Carry, Class, ComplexOp, Conv, ConvAxis, CounterId, Expr, Gemm, GemmAxis, If, Index,
    Inst, Kernel, KernelId, Library, Loop, Module, Order, ParamId, Reg, Rows, Sort, Space, Stmt, TopK, Transpose, View,
    WhileLoop,
};

impl Display for BufferId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

impl Display for KernelId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

impl Display for CounterId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

impl Display for Reg {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl Display for ParamId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl Class {
    /// The name in printed kernels and nests.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Map => "map",
            Class::Reduce => "reduce",
            Class::Contract => "contract",
            Class::Window => "window",
            Class::Scan => "scan",
            Class::GatherScatter => "gather-scatter",
        }
    }
}

impl Display for Class {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Display for Index {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return write!(f, "{}", self.constant);
        }
        for (i, &(register, coefficient)) in self.terms.iter().enumerate() {
            let magnitude = coefficient.unsigned_abs();
            match (i == 0, coefficient < 0) {
                (true, false) => {}
                (true, true) => f.write_str("-")?,
                (false, false) => f.write_str(" + ")?,
                (false, true) => f.write_str(" - ")?,
            }
            if magnitude != 1 {
                write!(f, "{magnitude}*")?;
            }
            write!(f, "{register}")?;
        }
        match self.constant {
            0 => Ok(()),
            c if c < 0 => write!(f, " - {}", c.unsigned_abs()),
            c => write!(f, " + {c}"),
        }
    }
}

impl Display for View {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.buffer)?;
        if self.offset == 0 && self.terms.is_empty() {
            return Ok(());
        }
        f.write_str("[")?;
        for (i, (counter, stride)) in self.terms.iter().enumerate() {
            write!(f, "{}{stride}*{counter}", if i == 0 { "" } else { " + " })?;
        }
        if self.terms.is_empty() {
            write!(f, "{}", self.offset)?;
        } else if self.offset != 0 {
            write!(f, " + {}", self.offset)?;
        }
        f.write_str("..]")
    }
}

impl Display for Buffer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}] ", self.dtype, self.len)?;
        match self.space {
            Space::Input(i) => write!(f, "input {i}"),
            Space::Output(i) => write!(f, "output {i}"),
            Space::Const(i) => write!(f, "const {i}"),
            Space::Arena(offset) => write!(f, "arena {offset}"),
            Space::Local(offset) => write!(f, "local {offset}"),
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Const(value) => write!(f, "const {value:?}"),
            Expr::Index(index) => write!(f, "index {index}"),
            Expr::IndexDiv(x, divisor) => write!(f, "index_div {x}, {divisor}"),
            Expr::IndexRem(x, divisor) => write!(f, "index_rem {x}, {divisor}"),
            Expr::Unary(op, x) => write!(f, "{} {x}", op.name()),
            Expr::Binary(op, x, y) => write!(f, "{} {x}, {y}", op.name()),
            Expr::Scale([x, n, _]) => write!(f, "scale {x}, {n}"),
            Expr::Fma([x, y, z]) => write!(f, "fma {x}, {y}, {z}"),
            Expr::Rarely { condition, op, operand, otherwise } => {
                write!(f, "rarely {condition}, {} {operand}, {otherwise}", op.name())
            }
            Expr::Compare(op, x, y) => write!(f, "{} {x}, {y}", op.name()),
            Expr::Select { condition, on_true, on_false } => write!(f, "select {condition}, {on_true}, {on_false}"),
            Expr::Convert(x) => write!(f, "convert {x}"),
            Expr::Truncate(x) => write!(f, "truncate {x}"),
            Expr::Bitcast(x) => write!(f, "bitcast {x}"),
            Expr::ReducePrecision { operand, exponent_bits, mantissa_bits } => {
                write!(f, "reduce_precision[{exponent_bits},{mantissa_bits}] {operand}")
            }
            Expr::RegularizedIncompleteBeta([a, b, x]) => write!(f, "regularized_incomplete_beta {a}, {b}, {x}"),
        }
    }
}

impl Display for ComplexOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ComplexOp::Unary(op) => f.write_str(op.name()),
            ComplexOp::Binary(op) => f.write_str(op.name()),
        }
    }
}

impl Order {
    /// The word printed before a loop's body.
    pub const fn word(self) -> &'static str {
        match self {
            Order::Sequential => "",
            Order::Vector => " vector",
            Order::VectorReduce => " vector-reduce",
            Order::Independent => " independent",
        }
    }
}

struct Indent(usize);

impl Display for Indent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:1$}", "", 2 * self.0)
    }
}

impl Display for Kernel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.print(f, None)
    }
}

impl Kernel {
    fn print(&self, f: &mut Formatter<'_>, id: Option<KernelId>) -> fmt::Result {
        f.write_str("kernel ")?;
        if let Some(id) = id {
            write!(f, "{id} ")?;
        }
        write!(f, "{} {}..{} of {} (", self.class, self.range.begin, self.range.end, self.range.extent)?;
        for (i, param) in self.params.iter().enumerate() {
            let access = match param.access {
                Access::Read => "read",
                Access::Write => "write",
                Access::ReadWrite => "read-write",
                Access::Local => "local",
            };
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}p{i}: {access} {}[{}]", param.dtype, param.len)?;
        }
        writeln!(f, ") {{")?;
        self.print_insts(f, &self.body, 1)?;
        writeln!(f, "}}")
    }

    fn typed(&self, register: Reg) -> String {
        format!("{register}: {}", self.registers[register.index()])
    }

    fn print_carried(&self, f: &mut Formatter<'_>, carried: &[Carry]) -> fmt::Result {
        for (i, carry) in carried.iter().enumerate() {
            let lead = if i == 0 { " with " } else { ", " };
            write!(f, "{lead}{} = {} then {}", self.typed(carry.register), carry.init, carry.next)?;
        }
        Ok(())
    }

    fn print_insts(&self, f: &mut Formatter<'_>, insts: &[Inst], depth: usize) -> fmt::Result {
        let pad = Indent(depth);
        for inst in insts {
            match inst {
                Inst::Let { result, value } => writeln!(f, "{pad}{} = {value}", self.typed(*result))?,
                Inst::Load { result, param, index, mask } => {
                    write!(f, "{pad}{} = load {param}[{index}]", self.typed(*result))?;
                    if let Some(mask) = mask {
                        write!(f, " if {} else {}", mask.condition, mask.otherwise)?;
                    }
                    writeln!(f)?;
                }
                Inst::Store { param, index, value } => writeln!(f, "{pad}store {param}[{index}], {value}")?,
                Inst::Complex { real, imag, op, dtype, operands } => {
                    write!(f, "{pad}{}", self.typed(*real))?;
                    if let Some(imag) = imag {
                        write!(f, ", {}", self.typed(*imag))?;
                    }
                    write!(f, " = {dtype} {op}")?;
                    for (i, [re, im]) in operands.iter().enumerate() {
                        write!(f, "{} ({re}, {im})", if i == 0 { "" } else { "," })?;
                    }
                    writeln!(f)?;
                }
                Inst::Threefry { results: [r0, r1], operands: [k0, k1, c0, c1] } => {
                    writeln!(f, "{pad}{}, {} = threefry2x32 {k0}, {k1}, {c0}, {c1}", self.typed(*r0), self.typed(*r1))?;
                }
                Inst::Loop(Loop { variable, begin, end, carried, order, body }) => {
                    write!(f, "{pad}for {variable} in {begin} .. {end}")?;
                    self.print_carried(f, carried)?;
                    writeln!(f, "{} {{", order.word())?;
                    self.print_insts(f, body, depth + 1)?;
                    writeln!(f, "{pad}}}")?;
                }
                Inst::If(If { condition, then, otherwise, results }) => {
                    write!(f, "{pad}if {condition}")?;
                    for (i, phi) in results.iter().enumerate() {
                        let lead = if i == 0 { " giving " } else { ", " };
                        write!(f, "{lead}{} = {} or {}", self.typed(phi.register), phi.then, phi.otherwise)?;
                    }
                    writeln!(f, " {{")?;
                    self.print_insts(f, then, depth + 1)?;
                    if !otherwise.is_empty() {
                        writeln!(f, "{pad}}} else {{")?;
                        self.print_insts(f, otherwise, depth + 1)?;
                    }
                    writeln!(f, "{pad}}}")?;
                }
                Inst::While(WhileLoop { carried, condition, predicate, body }) => {
                    write!(f, "{pad}while {predicate}")?;
                    self.print_carried(f, carried)?;
                    writeln!(f, " {{")?;
                    self.print_insts(f, condition, depth + 1)?;
                    writeln!(f, "{pad}}} do {{")?;
                    self.print_insts(f, body, depth + 1)?;
                    writeln!(f, "{pad}}}")?;
                }
            }
        }
        Ok(())
    }
}

fn print_stmts(f: &mut Formatter<'_>, stmts: &[Stmt], depth: usize) -> fmt::Result {
    let pad = Indent(depth);
    for stmt in stmts {
        match stmt {
            Stmt::Launch { kernel, args } => {
                let args: Vec<String> = args.iter().map(View::to_string).collect();
                writeln!(f, "{pad}launch {kernel} ({})", args.join(", "))?;
            }
            Stmt::Copy { source, destination, len } => writeln!(f, "{pad}copy {source} to {destination}, {len}")?,
            Stmt::While { condition, predicate, body } => {
                writeln!(f, "{pad}while {predicate} {{")?;
                print_stmts(f, condition, depth + 1)?;
                writeln!(f, "{pad}}} do {{")?;
                print_stmts(f, body, depth + 1)?;
                writeln!(f, "{pad}}}")?;
            }
            Stmt::For { counter, length, reverse, body } => {
                let down = if *reverse { " reverse" } else { "" };
                writeln!(f, "{pad}for {counter} in 0 .. {length}{down} {{")?;
                print_stmts(f, body, depth + 1)?;
                writeln!(f, "{pad}}}")?;
            }
            Stmt::Switch { index, branches } => {
                writeln!(f, "{pad}switch {index} {{")?;
                for (i, branch) in branches.iter().enumerate() {
                    writeln!(f, "{pad}case {i}:")?;
                    print_stmts(f, branch, depth + 1)?;
                }
                writeln!(f, "{pad}}}")?;
            }
            Stmt::Print { format, operands } => {
                write!(f, "{pad}print {format:?}")?;
                for (view, aval) in operands {
                    write!(f, ", {view} as {aval}")?;
                }
                writeln!(f)?;
            }
            Stmt::Gemm(gemm) => writeln!(f, "{pad}{gemm}")?,
            Stmt::Conv(conv) => writeln!(f, "{pad}{conv}")?,
            Stmt::Transpose(transpose) => writeln!(f, "{pad}{transpose}")?,
            Stmt::Sort(sort) => writeln!(f, "{pad}{sort}")?,
            Stmt::TopK(top_k) => writeln!(f, "{pad}{top_k}")?,
            Stmt::Library(library) => writeln!(f, "{pad}{library}")?,
            Stmt::Rows(Rows { rows, block, body }) => {
                writeln!(f, "{pad}rows {rows} by {block} {{")?;
                print_stmts(f, body, depth + 1)?;
                writeln!(f, "{pad}}}")?;
            }
        }
    }
    Ok(())
}

impl Display for GemmAxis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}({},{},{})", self.extent, self.lhs, self.rhs, self.out)
    }
}

impl Display for Gemm {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "gemm {}", self.dtype)?;
        if self.out_dtype != self.dtype {
            write!(f, "->{}", self.out_dtype)?;
        }
        let sign = if self.add { "+=" } else { "=" };
        write!(f, " {} {sign} {} x {}", self.out, self.lhs, self.rhs)?;
        for axis in &self.batch {
            write!(f, " batch={axis}")?;
        }
        write!(f, " m={} n={}", self.m, self.n)?;
        self.outer_k.iter().chain([&self.k]).try_for_each(|axis| write!(f, " k={axis}"))
    }
}

impl Display for ConvAxis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ConvAxis { extent, window, lhs_extent, stride, dilation, base_dilation, low, lhs, rhs, out } = self;
        write!(f, "{extent}/{lhs_extent}/{window}({lhs},{rhs},{out})")?;
        for (name, value, default) in [
            ("stride", *stride as i64, 1),
            ("dilation", *dilation as i64, 1),
            ("base_dilation", *base_dilation as i64, 1),
            ("low", *low, 0),
        ] {
            if value != default {
                write!(f, "{{{name} {value}}}")?;
            }
        }
        Ok(())
    }
}

impl Display for Transpose {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "transpose {} {} = {}", self.dtype, self.out, self.source)?;
        self.axes.iter().try_for_each(|axis| write!(f, " {}({})", axis.extent, axis.stride))
    }
}

impl Display for Conv {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "conv {}", self.dtype)?;
        if self.out_dtype != self.dtype {
            write!(f, "->{}", self.out_dtype)?;
        }
        write!(f, " {} = {} * {}", self.out, self.lhs, self.rhs)?;
        for (name, axis) in [("b", self.batch), ("g", self.group), ("i", self.input), ("o", self.output)] {
            write!(f, " {name}={axis}")?;
        }
        for axis in &self.spatial {
            write!(f, " s={axis}")?;
        }
        Ok(())
    }
}

impl Display for Sort {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "sort {}x{}x{} keys={}", self.outer, self.extent, self.inner, self.num_keys)?;
        if !self.stable {
            f.write_str(" unstable")?;
        }
        for (i, operand) in self.operands.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma} {} {} = {}", operand.dtype, operand.destination, operand.source)?;
        }
        Ok(())
    }
}

impl Display for TopK {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let TopK { dtype, rows, extent, k, source, values, indices } = self;
        write!(f, "top_k {dtype} {values}, {indices} = {k} of {rows}x{extent} {source}")
    }
}

impl Display for Library {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} x{}", self.op.name(), self.op, self.batch)?;
        for (i, (view, aval)) in self.results.iter().enumerate() {
            write!(f, "{} {aval} {view}", if i == 0 { "" } else { "," })?;
        }
        f.write_str(" =")?;
        for (i, (view, aval)) in self.operands.iter().enumerate() {
            write!(f, "{} {aval} {view}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl Display for Module {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (id, kernel) in self.kernels.iter().enumerate() {
            kernel.print(f, Some(KernelId(id as u32)))?;
            writeln!(f)?;
        }
        writeln!(f, "module (arena {} bytes) {{", self.arena_bytes)?;
        for (i, buffer) in self.buffers.iter().enumerate() {
            writeln!(f, "  b{i}: {buffer}")?;
        }
        print_stmts(f, &self.body, 1)?;
        let results: Vec<String> = self.results.iter().map(BufferId::to_string).collect();
        writeln!(f, "  return ({})", results.join(", "))?;
        writeln!(f, "}}")
    }
}
