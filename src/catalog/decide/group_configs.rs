//! AlterConfigs and IncrementalAlterConfigs of groups (KIP-848).

use std::sync::Arc;

use super::configs::{check_distinct, null_value};
use super::{Draft, each_once};
use crate::base::limits::{GROUPS_WITH_CONFIGS_MAX, STRING_BYTES_MAX};
use crate::catalog::configs::check_group_configs;
use crate::catalog::error::{CatalogError, ErrorKind};
use crate::catalog::outcome::ConfigsAltered;
use crate::catalog::record::CatalogRecord;
use crate::catalog::request::{AlterGroup, ConfigOpKind};

impl Draft<'_> {
    pub(super) fn alter_group_configs(&mut self, groups: &[AlterGroup]) -> ConfigsAltered {
        each_once(groups, |group| &group.name, |asked| self.alter_group(asked))
    }

    fn alter_group(&mut self, asked: &AlterGroup) -> Result<(), CatalogError> {
        check_distinct(asked.ops.iter().map(|op| &op.name))?;
        if asked.name.is_empty() || asked.name.len() > STRING_BYTES_MAX {
            return Err(request_error("This is no name of a group.".to_owned()));
        }
        let present = self.catalog.group_configs(&asked.name);
        let mut configs = match asked.replaces {
            true => Default::default(),
            false => present.clone(),
        };
        for op in &asked.ops {
            let name = &op.name;
            match ConfigOpKind::from_code(op.op) {
                Some(ConfigOpKind::Set) => {
                    let value = op.value.clone().ok_or_else(|| null_value(name))?;
                    configs.insert(name.clone(), value);
                }
                Some(ConfigOpKind::Delete) => drop(configs.remove(name)),
                Some(_) => {
                    let message = format!(
                        "Config {name} is no list: nothing can be added to it or taken off."
                    );
                    return Err(CatalogError::new(ErrorKind::InvalidConfig, message));
                }
                None => {
                    let message = format!("Unknown operation {} for config {name}.", op.op);
                    return Err(request_error(message));
                }
            }
        }
        check_group_configs(&self.catalog.defaults.configs, &configs)?;
        if configs == *present {
            return Ok(());
        }
        let is_new = present.is_empty();
        if is_new
            && self.catalog.groups_with_configs().count() + self.records.len()
                >= GROUPS_WITH_CONFIGS_MAX
        {
            let message =
                format!("This broker keeps configs of at most {GROUPS_WITH_CONFIGS_MAX} groups.");
            return Err(CatalogError::new(ErrorKind::PolicyViolation, message));
        }
        self.records.push(CatalogRecord::GroupConfigSet {
            group: Arc::from(asked.name.as_str()),
            configs,
        });
        Ok(())
    }
}

fn request_error(message: String) -> CatalogError {
    CatalogError::new(ErrorKind::InvalidRequest, message)
}
