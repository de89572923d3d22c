//! A bundle of any size, for measuring: the resources of a small one, again and again under new names.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use yagura_collect::{BundleReader, BundleWriter};
use yagura_model::{Observation, Seen};

/// Pseudo-resources that an account or a region has one of are not copied.
const ONE_OF_A_KIND: [&str; 2] = ["AWS::::Account", "AWS::::Region"];

/// Writes `to`: everything that `from` holds, and copies of its resources until there are `count`.
pub(crate) fn run(from: &Path, count: usize, to: &Path) -> Result<()> {
    let reading = || format!("reading {}", from.display());
    let reader = BundleReader::open(from).with_context(reading)?;
    let header = reader.header().clone();
    let mut observations: Vec<Observation> = Vec::new();
    let finished = reader.read(|observation| observations.push(observation)).with_context(reading)?.finished;
    let copied: Vec<&Observation> = observations
        .iter()
        .filter(|observation| matches!(&observation.seen, Seen::Resource(resource) if !ONE_OF_A_KIND.contains(&resource.kind.as_str())))
        .collect();
    ensure!(!copied.is_empty(), "{} holds no resources", from.display());
    let mut writer = BundleWriter::create(to, &header)?;
    let mut written = 0_usize;
    for observation in &observations {
        writer.write(observation)?;
        written += usize::from(matches!(observation.seen, Seen::Resource(_)));
    }
    for number in 1.. {
        for observation in &copied {
            if written >= count {
                writer.finish(finished)?;
                println!("{written} resources in {}", to.display());
                return Ok(());
            }
            writer.write(&renamed(observation, number))?;
            written += 1;
        }
    }
    Ok(())
}

/// The same resource under another name.
fn renamed(observation: &Observation, number: usize) -> Observation {
    let mut observation = observation.clone();
    if let Seen::Resource(resource) = &mut observation.seen {
        resource.id = format!("{}-{number}", resource.id);
        resource.arn = resource.arn.as_ref().map(|arn| format!("{arn}-{number}").as_str().into());
    }
    observation
}
