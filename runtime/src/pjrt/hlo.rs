//! Optimised programs as text.
//!
//! Compilers of the XLA family hand out what they made of a program as a protocol buffer, `HloModuleProto`. What people look for in it is
//! printed in the notation of HLO: computations, instructions with their layouts, operands, called computations, and the
//! compiler's notes on them. The fields that are not needed for that are left out.

use std::collections::HashMap;
use std::fmt::Write as _;

/// The text of an optimised program in one of the formats that plugins use; `None` for formats that are not known.
pub(super) fn text(format: &str, code: &[u8]) -> Option<String> {
    match format {
        "hlo" => module(code),
        "hlo_with_config" => module(Message::parse(code)?.bytes(1)?),
        "mlir" | "hlo_text" => String::from_utf8(code.to_vec()).ok(),
        _ => None,
    }
}

/// A value of a field as it is written.
#[derive(Clone, Copy)]
enum Field<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message in order.
struct Message<'a>(Vec<(u64, Field<'a>)>);

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

impl<'a> Message<'a> {
    fn parse(mut bytes: &'a [u8]) -> Option<Message<'a>> {
        let mut fields = vec![];
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            let field = match key & 7 {
                0 => Field::Varint(varint(&mut bytes)?),
                kind @ (1 | 2 | 5) => {
                    let size = match kind {
                        1 => 8,
                        5 => 4,
                        _ => usize::try_from(varint(&mut bytes)?).ok()?,
                    };
                    let (value, rest) = bytes.split_at_checked(size)?;
                    bytes = rest;
                    Field::Bytes(value)
                }
                _ => return None,
            };
            fields.push((key >> 3, field));
        }
        Some(Message(fields))
    }

    fn all(&self, number: u64) -> impl DoubleEndedIterator<Item = Field<'a>> + '_ {
        self.0.iter().filter(move |(n, _)| *n == number).map(|(_, field)| *field)
    }

    fn bytes(&self, number: u64) -> Option<&'a [u8]> {
        self.all(number).find_map(|field| if let Field::Bytes(bytes) = field { Some(bytes) } else { None })
    }

    fn string(&self, number: u64) -> String {
        self.bytes(number).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    }

    fn message(&self, number: u64) -> Option<Message<'a>> {
        Message::parse(self.bytes(number)?)
    }

    fn messages(&self, number: u64) -> Vec<Message<'a>> {
        let parse = |field| if let Field::Bytes(bytes) = field { Message::parse(bytes) } else { None };
        self.all(number).filter_map(parse).collect()
    }

    fn number(&self, number: u64) -> u64 {
        self.numbers(number).last().copied().unwrap_or(0)
    }

    /// A repeated number, packed or not.
    fn numbers(&self, number: u64) -> Vec<u64> {
        let mut found = vec![];
        for field in self.all(number) {
            match field {
                Field::Varint(value) => found.push(value),
                Field::Bytes(mut bytes) => {
                    while !bytes.is_empty() {
                        let Some(value) = varint(&mut bytes) else { break };
                        found.push(value);
                    }
                }
            }
        }
        found
    }
}

fn list(numbers: &[u64]) -> String {
    numbers.iter().map(|&n| (n as i64).to_string()).collect::<Vec<_>>().join(",")
}

fn element_type(number: u64) -> &'static str {
    const NAMES: [&str; 34] = [
        "invalid",
        "pred",
        "s8",
        "s16",
        "s32",
        "s64",
        "u8",
        "u16",
        "u32",
        "u64",
        "f16",
        "f32",
        "f64",
        "tuple",
        "opaque",
        "c64",
        "bf16",
        "token",
        "c128",
        "f8e5m2",
        "f8e4m3fn",
        "s4",
        "u4",
        "f8e4m3b11fnuz",
        "f8e5m2fnuz",
        "f8e4m3fnuz",
        "s2",
        "u2",
        "f8e4m3",
        "f8e3m4",
        "s1",
        "u1",
        "f4e2m1fn",
        "f8e8m0fnu",
    ];
    NAMES.get(number as usize).copied().unwrap_or("unknown")
}

const TUPLE: u64 = 13;

/// `f32[128,256]{1,0:T(8,128)S(1)}`.
fn shape(message: &Message<'_>) -> String {
    if message.number(2) == TUPLE {
        let members: Vec<String> = message.messages(4).iter().map(shape).collect();
        return format!("({})", members.join(", "));
    }
    let mut text = format!("{}[{}]", element_type(message.number(2)), list(&message.numbers(3)));
    let Some(layout) = message.message(5) else { return text };
    let mut notes = String::new();
    for tile in layout.messages(6) {
        notes += &format!("{}({})", if notes.is_empty() { "T" } else { "" }, list(&tile.numbers(1)));
    }
    if layout.number(8) != 0 {
        notes += &format!("S({})", layout.number(8));
    }
    let separator = if notes.is_empty() { "" } else { ":" };
    if !layout.numbers(1).is_empty() || !notes.is_empty() {
        text += &format!("{{{}{separator}{notes}}}", list(&layout.numbers(1)));
    }
    text
}

/// A constant of one element, or dots in place of the elements.
fn literal(message: &Message<'_>) -> String {
    let four = |bytes: &[u8]| bytes.try_into().map(f32::from_le_bytes).ok().map(|x| x.to_string());
    let eight = |bytes: &[u8]| bytes.try_into().map(f64::from_le_bytes).ok().map(|x| x.to_string());
    let is_scalar = message.message(1).is_some_and(|shape| shape.numbers(3).is_empty());
    let integer = || [4, 5, 6, 7].into_iter().find_map(|n| message.numbers(n).first().map(|&v| (v as i64).to_string()));
    let truth = || match message.all(2).next()? {
        Field::Varint(value) => Some((value != 0).to_string()),
        Field::Bytes(bytes) => bytes.first().map(|&value| (value != 0).to_string()),
    };
    let value = || integer().or_else(|| four(message.bytes(8)?)).or_else(|| eight(message.bytes(9)?)).or_else(truth);
    if is_scalar { value().unwrap_or("...".into()) } else { "{...}".into() }
}

fn module(code: &[u8]) -> Option<String> {
    let message = Message::parse(code)?;
    let computations = message.messages(3);
    let names: HashMap<u64, String> = computations.iter().map(|c| (c.number(5), c.string(1))).collect();
    let (mut text, entry) = (format!("HloModule {}\n", message.string(1)), message.number(6));
    for computation in &computations {
        let instructions = computation.messages(2);
        let values: HashMap<u64, String> = instructions.iter().map(|i| (i.number(35), i.string(1))).collect();
        let start = if computation.number(5) == entry { "ENTRY " } else { "" };
        writeln!(text, "\n{start}%{} {{", computation.string(1)).ok()?;
        for instruction in &instructions {
            let root = if instruction.number(35) == computation.number(6) { "ROOT " } else { "" };
            writeln!(text, "  {root}{}", line(instruction, &values, &names)).ok()?;
        }
        text += "}\n";
    }
    Some(text)
}

fn line(instruction: &Message<'_>, values: &HashMap<u64, String>, names: &HashMap<u64, String>) -> String {
    let opcode = instruction.string(2);
    let known = |table: &HashMap<u64, String>, id: &u64| format!("%{}", table.get(id).map_or("?", String::as_str));
    let operands = match opcode.as_str() {
        "parameter" => instruction.number(9).to_string(),
        "constant" => instruction.message(8).map_or(String::new(), |value| literal(&value)),
        _ => instruction.numbers(36).iter().map(|id| known(values, id)).collect::<Vec<_>>().join(", "),
    };
    let ty = instruction.message(3).map_or(String::new(), |m| shape(&m));
    let mut text = format!("%{} = {ty} {opcode}({operands})", instruction.string(1));
    let mut note = |name: &str, value: String| text += &format!(", {name}={value}");
    let called: Vec<String> = instruction.numbers(38).iter().map(|id| known(names, id)).collect();
    match (opcode.as_str(), &called[..]) {
        (_, []) => {}
        ("while", [body, condition]) => {
            note("condition", condition.clone());
            note("body", body.clone());
        }
        ("fusion", [one]) => {
            note("kind", instruction.string(11));
            note("calls", one.clone());
        }
        ("conditional" | "call" | "async-start", _) => note("calls", format!("{{{}}}", called.join(", "))),
        (_, [one]) => note("to_apply", one.clone()),
        _ => note("called_computations", format!("{{{}}}", called.join(", "))),
    }
    if opcode == "get-tuple-element" {
        note("index", instruction.number(13).to_string());
    }
    if !instruction.numbers(14).is_empty() {
        note("dimensions", format!("{{{}}}", list(&instruction.numbers(14))));
    }
    let slices = instruction.messages(17);
    if !slices.is_empty() {
        let one = |s: &Message<'_>| format!("[{}:{}:{}]", s.number(1), s.number(2), s.number(3));
        note("slice", format!("{{{}}}", slices.iter().map(one).collect::<Vec<_>>().join(", ")));
    }
    if let Some(dot) = instruction.message(30) {
        let axes =
            [("lhs_contracting_dims", 1), ("rhs_contracting_dims", 2), ("lhs_batch_dims", 3), ("rhs_batch_dims", 4)];
        for (name, number) in axes.into_iter().filter(|(_, number)| !dot.numbers(*number).is_empty()) {
            note(name, format!("{{{}}}", list(&dot.numbers(number))));
        }
    }
    for (name, number) in [("direction", 63), ("custom_call_target", 28)] {
        if instruction.bytes(number).is_some() {
            note(name, instruction.string(number));
        }
    }
    let groups: Vec<String> = instruction.messages(49).iter().map(|g| format!("{{{}}}", list(&g.numbers(1)))).collect();
    if !groups.is_empty() {
        note("replica_groups", format!("{{{}}}", groups.join(",")));
    }
    if let Some(metadata) = instruction.message(7).filter(|m| m.bytes(2).is_some_and(|name| !name.is_empty())) {
        note("metadata", format!("{{op_name={:?}}}", metadata.string(2)));
    }
    if instruction.bytes(43).is_some_and(|config| !config.is_empty()) {
        note("backend_config", instruction.string(43));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
    }

    #[test]
    fn a_module_is_printed_and_nonsense_is_not() {
        // `a: f32[2]{0}` with number 7, in computation 3, which is the entry.
        let shape = [&[2 << 3, 11][..], &field(3, &[2]), &field(5, &field(1, &[0]))].concat();
        let id: &[u8] = &[0x98, 2, 7];
        let parameter = [field(1, b"a"), field(2, b"parameter"), field(3, &shape), id.to_vec()].concat();
        let computation = [field(1, b"main"), field(2, &parameter), vec![5 << 3, 3, 6 << 3, 7]].concat();
        let module = [field(1, b"m"), field(3, &computation), vec![6 << 3, 3]].concat();
        let expected = "HloModule m\n\nENTRY %main {\n  ROOT %a = f32[2]{0} parameter(0)\n}\n";
        assert_eq!(text("hlo", &module).as_deref(), Some(expected));
        assert_eq!(text("hlo_with_config", &field(1, &module)).as_deref(), Some(expected));
        for end in 1..module.len() {
            // Any text or none, but no panic.
            let _ = text("hlo", &module[..end]);
        }
        assert_eq!(text("hlo", &[0xff]), None);
        assert_eq!(text("abacus", &module), None);
    }
}
