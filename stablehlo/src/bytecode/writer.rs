//! The writer: operations first, which collects strings, types, attributes and properties; then the sections.
//!
//! Equal things are stored once and numbered in the order of their first use, so that a module has one encoding. Locations
//! are not written. Regions are never isolated but for functions, whose values are numbered from zero.

mod attributes;
mod types;

use std::collections::HashMap;
use std::hash::Hash;

use rjax_ir::{Error, ErrorKind, Result};

use super::encoder::Encoder;
use super::properties;
use super::{MAGIC, Version};
use crate::mlir::{Attribute, Attributes, Function, Module, Operation, Region, Type, Value};

/// The bytecode version that goes with every version of VHLO since 0.15.
const BYTECODE: u64 = 6;
/// The numbers of the two dialects.
const BUILTIN: usize = 0;
const VHLO: usize = 1;

/// Writes a module as a portable artifact for consumers of a version of VHLO or newer.
///
/// The same module gives the same bytes. Operations that the version does not have, dialects without a portable form and
/// constants whose values the reader did not keep are errors that name them.
pub fn write(module: &Module, version: Version) -> Result<Vec<u8>> {
    if version < Version::OLDEST || version > Version::NEWEST {
        let (oldest, newest) = (Version::OLDEST, Version::NEWEST);
        return Err(unsupported(format!("version {version} cannot be written; {oldest} to {newest} can")));
    }
    let mut writer = Writer::new(module, version);
    let ir = writer.module()?;
    Ok(writer.finish(&ir))
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, format!("bytecode: {}", message.into()))
}

/// Things with numbers, each once.
struct Numbered<T> {
    items: Vec<T>,
    numbers: HashMap<T, u64>,
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn new() -> Numbered<T> {
        Numbered { items: vec![], numbers: HashMap::new() }
    }

    fn number(&mut self, item: T) -> u64 {
        let next = self.items.len() as u64;
        *self.numbers.entry(item.clone()).or_insert_with(|| {
            self.items.push(item);
            next
        })
    }
}

struct Writer<'a> {
    module: &'a Module,
    version: Version,
    strings: Numbered<String>,
    /// Operation names with their dialects.
    names: Numbered<(usize, String)>,
    /// Encodings with their dialects.
    types: Numbered<(usize, Vec<u8>)>,
    attributes: Numbered<(usize, Vec<u8>)>,
    properties: Numbered<Vec<u8>>,
}

/// The number of each value that has been defined.
type Numbers = HashMap<Value, u64>;

impl<'a> Writer<'a> {
    fn new(module: &'a Module, version: Version) -> Writer<'a> {
        Writer {
            module,
            version,
            strings: Numbered::new(),
            names: Numbered::new(),
            types: Numbered::new(),
            attributes: Numbered::new(),
            properties: Numbered::new(),
        }
    }

    fn finish(mut self, ir: &[u8]) -> Vec<u8> {
        let dialects = ["builtin", "vhlo"].map(|name| self.strings.number(name.to_string()));
        let mut dialect = Encoder::default();
        dialect.varint(dialects.len() as u64);
        dialects.iter().for_each(|&name| dialect.flagged_varint(name, false));
        dialect.varint(self.names.items.len() as u64);
        for (number, group) in groups(&self.names.items) {
            dialect.varint(number as u64);
            dialect.varint(group.len() as u64);
            for (_, name) in group {
                let name = self.strings.number(name.clone());
                dialect.flagged_varint(name, true);
            }
        }
        let (mut offsets, mut data) = (Encoder::default(), Encoder::default());
        offsets.varint(self.attributes.items.len() as u64);
        offsets.varint(self.types.items.len() as u64);
        for entries in [&self.attributes.items, &self.types.items] {
            for (number, group) in groups(entries) {
                offsets.varint(number as u64);
                offsets.varint(group.len() as u64);
                for (_, encoded) in group {
                    offsets.flagged_varint(encoded.len() as u64, true);
                    data.raw(encoded);
                }
            }
        }
        let mut strings = Encoder::default();
        strings.varint(self.strings.items.len() as u64);
        self.strings.items.iter().rev().for_each(|text| strings.varint(text.len() as u64 + 1));
        for text in &self.strings.items {
            strings.raw(text.as_bytes());
            strings.byte(0);
        }
        let mut properties = Encoder::default();
        properties.varint(self.properties.items.len() as u64);
        for entry in &self.properties.items {
            properties.varint(entry.len() as u64);
            properties.raw(entry);
        }
        let mut file = Encoder::default();
        file.raw(&MAGIC);
        file.varint(BYTECODE);
        file.raw(format!("StableHLO_v{}\0", self.version).as_bytes());
        for (id, section) in [(1, &dialect), (3, &offsets), (2, &data)] {
            file.section(id, &section.bytes);
        }
        file.section(4, ir);
        // No resources: their offsets are a count of zero, and they are nothing.
        file.section(6, &[1]);
        file.section(5, &[]);
        file.section(0, &strings.bytes);
        file.section(8, &properties.bytes);
        file.bytes
    }

    fn string(&mut self, text: &str) -> u64 {
        self.strings.number(text.to_string())
    }

    fn builtin(&mut self, write: impl FnOnce(&mut Self, &mut Encoder) -> Result<()>) -> Result<u64> {
        let mut encoder = Encoder::default();
        write(self, &mut encoder)?;
        Ok(self.attributes.number((BUILTIN, encoder.bytes)))
    }

    fn vhlo(&mut self, write: impl FnOnce(&mut Self, &mut Encoder) -> Result<()>) -> Result<u64> {
        let mut encoder = Encoder::default();
        write(self, &mut encoder)?;
        Ok(self.attributes.number((VHLO, encoder.bytes)))
    }

    // Operations.

    fn module(&mut self) -> Result<Vec<u8>> {
        let module = self.module;
        let name = self.names.number((BUILTIN, "module".to_string()));
        let location = self.unknown_location()?;
        // No name and no visibility: two optional attributes that are not there.
        let properties = self.properties.number(vec![1, 1]);
        let is_simple = |value: &Attribute| {
            matches!(value, Attribute::Bool(_) | Attribute::Int(_) | Attribute::String(_) | Attribute::Unit)
        };
        let attributes: Vec<_> = module.attributes.iter().filter(|(_, value)| is_simple(value)).collect();
        let mut e = Encoder::default();
        e.flagged_varint(1, false);
        e.varint(name);
        e.byte(if attributes.is_empty() { 0x50 } else { 0x51 });
        e.varint(location);
        if !attributes.is_empty() {
            let attributes = self.discardable(&attributes, true)?;
            e.varint(attributes);
        }
        e.varint(properties);
        e.flagged_varint(1, true);
        let mut body = Encoder::default();
        body.varint(1);
        body.varint(0);
        body.flagged_varint(module.functions.len() as u64, false);
        for function in &module.functions {
            self.function(function, &mut body)?;
        }
        e.section(4, &body.bytes);
        Ok(e.bytes)
    }

    fn function(&mut self, function: &Function, e: &mut Encoder) -> Result<()> {
        let name = self.names.number((VHLO, "func_v1".to_string()));
        let location = self.unknown_location()?;
        let inputs = function.body.arguments.iter().map(|&v| self.module.value_type(v).clone()).collect();
        let ty = self.ty(&Type::Function(inputs, function.results.clone()))?;
        let mut encoded = Encoder::default();
        let dictionaries = |w: &mut Self, attributes: &[Attributes]| {
            if attributes.iter().all(|entries| !entries.values().any(is_written)) {
                return w.vhlo_array(vec![]);
            }
            let entries = attributes.iter().map(|entries| w.vhlo_dictionary(entries)).collect::<Result<_>>()?;
            w.vhlo_array(entries)
        };
        let attributes = [
            dictionaries(self, &function.argument_attributes)?,
            self.vhlo_code(17, ty)?,
            dictionaries(self, &function.result_attributes)?,
            self.vhlo_string(&function.name)?,
            self.vhlo_string(if function.public { "public" } else { "private" })?,
        ];
        attributes.into_iter().for_each(|attribute| encoded.varint(attribute));
        let properties = self.properties.number(encoded.bytes);
        e.varint(name);
        e.byte(0x50);
        e.varint(location);
        e.varint(properties);
        e.flagged_varint(1, true);
        let mut body = Encoder::default();
        self.region(&function.body, 0, &mut Numbers::new(), &mut body)?;
        e.section(4, &body.bytes);
        Ok(())
    }

    /// A region whose own values are numbered from `base`; those of the regions in it come after them.
    fn region(&mut self, region: &Region, base: u64, numbers: &mut Numbers, e: &mut Encoder) -> Result<()> {
        if region.operations.is_empty() && region.arguments.is_empty() {
            e.varint(0);
            return Ok(());
        }
        let results = region.operations.iter().flat_map(|operation| &operation.results);
        let mut end = base;
        for &value in region.arguments.iter().chain(results) {
            numbers.insert(value, end);
            end += 1;
        }
        e.varint(1);
        e.varint(end - base);
        e.flagged_varint(region.operations.len() as u64, !region.arguments.is_empty());
        if !region.arguments.is_empty() {
            e.varint(region.arguments.len() as u64);
            for &argument in &region.arguments {
                let ty = self.module.value_type(argument).clone();
                let ty = self.ty(&ty)?;
                e.flagged_varint(ty, false);
            }
            // No orders of uses.
            e.byte(0);
        }
        for operation in &region.operations {
            self.operation(operation, end, numbers, e).map_err(|error| error.at(&operation.location))?;
        }
        Ok(())
    }

    fn operation(&mut self, operation: &Operation, end: u64, numbers: &mut Numbers, e: &mut Encoder) -> Result<()> {
        let plain = match operation.name.as_str() {
            "func.call" => "call",
            name => name.strip_prefix("stablehlo.").ok_or_else(|| {
                unsupported(format!("{name} has no portable form; only operations of StableHLO have one"))
            })?,
        };
        let name = properties::versioned(plain, self.version)
            .ok_or_else(|| unsupported(format!("{} cannot be written for version {}", operation.name, self.version)))?;
        let property_names = properties::names(&name).unwrap_or_default();
        for left_out in ["operand_batching_dims", "input_batching_dims"] {
            if !property_names.contains(&left_out) && operation.ints(left_out).is_ok_and(|dims| !dims.is_empty()) {
                let version = self.version;
                return Err(unsupported(format!("{}: version {version} has no {left_out}", operation.name)));
            }
        }
        let mut encoded = Encoder::default();
        for attribute in property_names {
            let attribute = self.property(operation, attribute)?;
            encoded.varint(attribute);
        }
        let is_discardable = |entry: &(&String, &Attribute)| {
            !ALL_PROPERTIES.with(|known| known.contains(entry.0.as_str())) && is_written(entry.1)
                || entry.0 == "value" && plain == "custom_call"
        };
        let discardable: Vec<_> = operation.attributes.iter().filter(is_discardable).collect();
        let flags = [
            (1, !discardable.is_empty()),
            (2, !operation.results.is_empty()),
            (4, !operation.operands.is_empty()),
            (0x10, !operation.regions.is_empty()),
            (0x40, !property_names.is_empty()),
        ];
        let name = self.names.number((VHLO, name));
        let location = self.unknown_location()?;
        e.varint(name);
        e.byte(flags.iter().filter(|(_, set)| *set).map(|(flag, _)| *flag).sum());
        e.varint(location);
        if !discardable.is_empty() {
            let attributes = self.discardable(&discardable, false)?;
            e.varint(attributes);
        }
        if !property_names.is_empty() {
            let properties = self.properties.number(encoded.bytes);
            e.varint(properties);
        }
        if !operation.results.is_empty() {
            e.varint(operation.results.len() as u64);
            for &result in &operation.results {
                let ty = self.module.value_type(result).clone();
                let ty = self.ty(&ty)?;
                e.varint(ty);
            }
        }
        if !operation.operands.is_empty() {
            e.varint(operation.operands.len() as u64);
            for operand in &operation.operands {
                let number = numbers.get(operand);
                e.varint(*number.ok_or_else(|| unsupported(format!("{}: an operand is not defined", operation.name)))?);
            }
        }
        if !operation.regions.is_empty() {
            e.flagged_varint(operation.regions.len() as u64, false);
            for region in &operation.regions {
                self.region(region, end, numbers, e)?;
            }
        }
        Ok(())
    }
}

thread_local! {
    /// The names of all properties: attributes of operations under these names are theirs, others are discardable.
    static ALL_PROPERTIES: std::collections::HashSet<&'static str> = properties::all_names().collect();
}

/// Runs of entries of one dialect.
fn groups<T>(entries: &[(usize, T)]) -> impl Iterator<Item = (usize, &[(usize, T)])> {
    entries.chunk_by(|a, b| a.0 == b.0).map(|group| (group[0].0, group))
}

fn is_written(attribute: &Attribute) -> bool {
    !matches!(attribute, Attribute::Opaque)
}
