//! The APIs about the cluster and its clients.

use bytes::Bytes;
use corelane::kafka::ApiKey;
use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeClusterRequest, GetTelemetrySubscriptionsRequest,
    ListConfigResourcesRequest, PushTelemetryRequest,
};

use super::{World, text};

/// `ConfigResource.Type` of Kafka.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const CLIENT_METRICS: i8 = 16;

pub fn api_versions(world: &mut World, version: i16) {
    let mut request = ApiVersionsRequest::default();
    if version >= 3 {
        request.client_software_name = text("oracle");
        request.client_software_version = text("1.0");
    }
    let response = world.ask(version, &request);
    assert_eq!(response.error_code, 0);
    let told = response.api_keys.iter();
    let told: Vec<_> = told
        .map(|api| (api.api_key, api.min_version, api.max_version))
        .collect();
    let expected = ApiKey::ALL.iter().map(|api| {
        let spec = api.spec();
        (api.key(), spec.advertised_min, spec.max)
    });
    assert!(expected.eq(told), "one table of versions");
}

pub fn describe_cluster(world: &mut World, version: i16) {
    let mut request =
        DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
    if version >= 1 {
        request.endpoint_type = 1;
    }
    if version >= 2 {
        request.include_fenced_brokers = true;
    }
    let response = world.ask(version, &request);
    assert_eq!((response.error_code, response.endpoint_type), (0, 1));
    assert!(!response.cluster_id.is_empty());
    for broker in &response.brokers {
        assert_eq!(broker.host.as_str(), "127.0.0.1");
        let node = u16::try_from(broker.broker_id.0).unwrap();
        assert_eq!(broker.port, i32::from(world.broker.address(node).port()));
    }
}

pub fn get_telemetry_subscriptions(world: &mut World, version: i16) {
    let request = GetTelemetrySubscriptionsRequest::default();
    let response = world.ask(version, &request);
    assert_eq!(response.error_code, 0);
    assert_ne!(response.client_instance_id, request.client_instance_id);
    // Who has a name keeps it.
    let request = request.with_client_instance_id(response.client_instance_id);
    let response = world.ask(version, &request);
    assert_eq!(response.error_code, 0);
    assert_eq!(response.client_instance_id, request.client_instance_id);
    assert!(response.requested_metrics.is_empty());
}

pub fn push_telemetry(world: &mut World, version: i16) {
    let asked = GetTelemetrySubscriptionsRequest::default();
    let subscription = world.ask(0, &asked);
    let request = PushTelemetryRequest::default()
        .with_client_instance_id(subscription.client_instance_id)
        .with_subscription_id(subscription.subscription_id)
        .with_compression_type(0)
        .with_metrics(Bytes::from_static(b"metrics"));
    let response = world.ask(version, &request);
    assert_eq!(response.error_code, 0);
}

pub fn list_config_resources(world: &mut World, version: i16) {
    let mut request = ListConfigResourcesRequest::default();
    if version >= 1 {
        request.resource_types = vec![TOPIC, BROKER];
    }
    let response = world.ask(version, &request);
    assert_eq!(response.error_code, 0);
    let listed = |resource_type, name: &str| {
        response.config_resources.iter().any(|resource| {
            resource.resource_type == resource_type && resource.resource_name.as_str() == name
        })
    };
    let is_known = version >= 1;
    assert_eq!(listed(TOPIC, world.topic.as_str()), is_known);
    assert_eq!(listed(BROKER, "0"), is_known);
    assert!(!listed(CLIENT_METRICS, ""));
}
