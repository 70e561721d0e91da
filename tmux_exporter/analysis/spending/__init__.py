"""Add up what agents spend: each request once, kinds disjoint; counters under the labels of agents."""
