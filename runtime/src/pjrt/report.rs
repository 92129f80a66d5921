//! What is known of a program that was compiled ahead of time, as plain data that passes between processes.

use rjax_ir::{Error, ErrorKind, Result};

use super::{Attribute, Compiled, MemoryStats, hlo};

/// All that a compiler tells of a compiled program. Nothing in it belongs to the plugin.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// Flops, bytes accessed and more, by the compiler's own names.
    pub cost: Vec<(String, f64)>,
    /// Memory on the device.
    pub memory: MemoryStats,
    /// The program as the compiler left it, in the notation of HLO; `None` where the plugin has none to show.
    pub optimized: Option<String>,
    /// The executable, to be loaded by [`Client::load`](super::Client::load) on a machine of its kind.
    pub executable: Vec<u8>,
}

impl Report {
    /// Asks the plugin for everything.
    pub fn of(compiled: &Compiled) -> Result<Report> {
        let mut cost = vec![];
        for (name, value) in compiled.cost_analysis()? {
            match value {
                Attribute::Float(value) => cost.push((name, f64::from(value))),
                Attribute::Integer(value) => cost.push((name, value as f64)),
                Attribute::String(_) | Attribute::Integers(_) | Attribute::Boolean(_) => {}
            }
        }
        cost.sort_by(|(a, _), (b, _)| a.cmp(b));
        let optimized = compiled.optimized_program().ok().and_then(|(format, code)| hlo::text(&format, &code));
        Ok(Report { cost, memory: compiled.memory_stats()?, optimized, executable: compiled.serialized()? })
    }

    /// One property of the cost analysis.
    pub fn cost_of(&self, name: &str) -> Option<f64> {
        self.cost.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

/// Writes the outcome of a compilation.
pub(super) fn encode(outcome: &Result<Report>) -> Vec<u8> {
    let mut bytes = vec![];
    match outcome {
        Err(error) => {
            bytes.push(if error.kind == ErrorKind::Unsupported { 1 } else { 2 });
            put(&mut bytes, error.message.as_bytes());
        }
        Ok(report) => {
            bytes.push(0);
            put(&mut bytes, &report.executable);
            put(&mut bytes, report.optimized.as_deref().unwrap_or("").as_bytes());
            for value in report.memory.to_array() {
                put(&mut bytes, &value.to_le_bytes());
            }
            for (name, value) in &report.cost {
                put(&mut bytes, name.as_bytes());
                put(&mut bytes, &value.to_le_bytes());
            }
        }
    }
    bytes
}

/// Reads what [`encode`] wrote; `None` if it is not all there.
pub(super) fn decode(mut bytes: &[u8]) -> Option<Result<Report>> {
    let (&kind, rest) = bytes.split_first()?;
    bytes = rest;
    if kind != 0 {
        let message = String::from_utf8_lossy(take(&mut bytes)?).into_owned();
        return Some(Err(Error::new(if kind == 1 { ErrorKind::Unsupported } else { ErrorKind::Io }, message)));
    }
    let executable = take(&mut bytes)?.to_vec();
    let optimized = String::from_utf8_lossy(take(&mut bytes)?).into_owned();
    let mut memory = [0; 6];
    for value in &mut memory {
        *value = i64::from_le_bytes(take(&mut bytes)?.try_into().ok()?);
    }
    let mut cost = vec![];
    while !bytes.is_empty() {
        let name = String::from_utf8_lossy(take(&mut bytes)?).into_owned();
        cost.push((name, f64::from_le_bytes(take(&mut bytes)?.try_into().ok()?)));
    }
    let optimized = (!optimized.is_empty()).then_some(optimized);
    Some(Ok(Report { cost, memory: MemoryStats::from_array(memory), optimized, executable }))
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend((part.len() as u64).to_le_bytes());
    bytes.extend(part);
}

fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (size, rest) = bytes.split_at_checked(8)?;
    let size = usize::try_from(u64::from_le_bytes(size.try_into().ok()?)).ok()?;
    let (part, rest) = rest.split_at_checked(size)?;
    *bytes = rest;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_come_back_and_pieces_of_them_do_not() {
        let memory = MemoryStats { code: 1, arguments: 2, outputs: 3, aliases: 4, temporaries: 5, peak: -6 };
        let optimized = Some("HloModule m".to_string());
        let report = Report { cost: vec![("flops".into(), 1.5)], memory, optimized, executable: vec![0, 255] };
        for outcome in [Ok(report), Err(Error::new(ErrorKind::Unsupported, "no")), Err(Error::new(ErrorKind::Io, ""))] {
            let bytes = encode(&outcome);
            let read = decode(&bytes).expect("it is all there");
            assert_eq!(read.as_ref().ok(), outcome.as_ref().ok());
            assert_eq!(read.err().map(|e| (e.kind, e.message)), outcome.err().map(|e| (e.kind, e.message)));
            assert!((0..bytes.len()).all(|end| decode(&bytes[..end]).is_none_or(|part| part.is_ok())));
        }
        assert!(decode(&[0, 255, 255, 255, 255, 255, 255, 255, 255]).is_none());
    }
}
