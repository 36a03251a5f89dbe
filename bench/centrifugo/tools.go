//go:build tools

// Pins the Centrifugo that the load generator compares with.
package tools

import _ "github.com/centrifugal/centrifugo/v6"
