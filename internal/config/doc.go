// Package config reads and checks the one configuration file, and documents it.
package config
