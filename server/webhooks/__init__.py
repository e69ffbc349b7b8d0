"""Calls that go out to webhooks: conversion of custom resources, and admission."""
