package main

import (
	"fmt"
	"reflect"
)

// keys returns a struct of the configuration as --json shows it: by the names and in the notation of the file.
func keys(v reflect.Value) any {
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	switch v.Kind() {
	case reflect.Struct:
		m := make(map[string]any, v.NumField())
		for i := range v.NumField() {
			m[v.Type().Field(i).Tag.Get("toml")] = keys(v.Field(i))
		}
		return m
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = keys(v.Index(i))
		}
		return list
	}
	return v.Interface()
}
