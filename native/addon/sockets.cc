/* NativeSockets of src/native/contract.ts: conversion only, the mechanics are in the C files. */

#include "register.h"

void register_sockets(Napi::Env, Napi::Object) {}
