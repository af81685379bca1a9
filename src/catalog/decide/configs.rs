//! AlterConfigs and IncrementalAlterConfigs (KIP-339) of topics.

use std::collections::{BTreeMap, BTreeSet};

use super::offsets_topic::check_own_configs;
use super::{Draft, each_once, unknown_topic};
use crate::catalog::configs::{ConfigKind, list_elements, topic_config};
use crate::catalog::error::{CatalogError, ErrorKind};
use crate::catalog::outcome::TopicOutcome;
use crate::catalog::record::CatalogRecord;
use crate::catalog::request::{AlterTopic, ConfigOp, ConfigOpKind, IncrementalAlterTopic};
use crate::catalog::state::Catalog;

impl Draft<'_> {
    pub(super) fn alter_configs(&mut self, topics: &[AlterTopic]) -> Vec<TopicOutcome<()>> {
        each_once(
            topics,
            |topic| &topic.name,
            |asked| {
                check_distinct(asked.configs.iter().map(|(name, _)| name))?;
                let mut configs = BTreeMap::new();
                for (name, value) in &asked.configs {
                    let value = value.clone().ok_or_else(|| null_value(name))?;
                    configs.insert(name.clone(), value);
                }
                self.set_configs(&asked.name, |_, _| Ok(configs))
            },
        )
    }

    pub(super) fn incremental_alter_configs(
        &mut self,
        topics: &[IncrementalAlterTopic],
    ) -> Vec<TopicOutcome<()>> {
        each_once(
            topics,
            |topic| &topic.name,
            |asked| {
                check_distinct(asked.ops.iter().map(|op| &op.name))?;
                self.set_configs(&asked.name, |catalog, present| {
                    let mut configs = present.clone();
                    asked
                        .ops
                        .iter()
                        .try_for_each(|op| apply(catalog, &mut configs, op))?;
                    Ok(configs)
                })
            },
        )
    }

    /// Gives a topic the overrides that `change` makes of the present ones.
    fn set_configs(
        &mut self,
        name: &str,
        change: impl FnOnce(
            &Catalog,
            &BTreeMap<String, String>,
        ) -> Result<BTreeMap<String, String>, CatalogError>,
    ) -> Result<(), CatalogError> {
        let topic = self.catalog.topic(name).ok_or_else(unknown_topic)?;
        let configs = change(self.catalog, &topic.configs)?;
        self.check_configs(&configs)?;
        check_own_configs(topic, &configs)?;
        if configs != topic.configs {
            self.records.push(CatalogRecord::ConfigSet {
                topic: topic.id,
                configs,
            });
        }
        Ok(())
    }
}

fn apply(
    catalog: &Catalog,
    configs: &mut BTreeMap<String, String>,
    op: &ConfigOp,
) -> Result<(), CatalogError> {
    let name = &op.name;
    let Some(kind) = ConfigOpKind::from_code(op.op) else {
        let message = format!("Unknown operation {} for config {name}.", op.op);
        return Err(CatalogError::new(ErrorKind::InvalidRequest, message));
    };
    if kind == ConfigOpKind::Delete {
        configs.remove(name);
        return Ok(());
    }
    let value = op.value.clone().ok_or_else(|| null_value(name))?;
    if kind == ConfigOpKind::Set {
        configs.insert(name.clone(), value);
        return Ok(());
    }
    let Some(config) = topic_config(name).filter(|config| config.kind == ConfigKind::List) else {
        let message = format!("Config {name} is no list: nothing can be added to it or taken off.");
        return Err(CatalogError::new(ErrorKind::InvalidConfig, message));
    };
    let by_broker = || {
        config
            .broker
            .and_then(|synonym| catalog.defaults.configs.get(synonym))
    };
    let present = configs
        .get(name)
        .or_else(by_broker)
        .map_or(config.default, String::as_str);
    let mut elements = list_elements(present);
    for element in list_elements(&value) {
        match kind {
            ConfigOpKind::Append if elements.contains(&element) => {}
            ConfigOpKind::Append => elements.push(element),
            _ => elements.retain(|present| *present != element),
        }
    }
    configs.insert(name.clone(), elements.join(","));
    Ok(())
}

pub(super) fn check_distinct<'a>(
    mut names: impl Iterator<Item = &'a String>,
) -> Result<(), CatalogError> {
    let mut seen = BTreeSet::new();
    match names.find(|name| !seen.insert(*name)) {
        None => Ok(()),
        Some(name) => {
            let message = format!("The request names config {name} more than once.");
            Err(CatalogError::new(ErrorKind::InvalidRequest, message))
        }
    }
}

pub(super) fn null_value(name: &str) -> CatalogError {
    let message = format!("Null value not supported for config: {name}");
    CatalogError::new(ErrorKind::InvalidRequest, message)
}
