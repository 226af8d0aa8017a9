#!/bin/sh
# Installs what is missing to build and test Weir on Debian, through apt, as
# root or by sudo. Where nothing is missing it says nothing and takes no time.
#
#   contrib/setup.sh run      to build and run
#   contrib/setup.sh check    and for make check
#   contrib/setup.sh bench    and for make bench
#   contrib/setup.sh ci       and for .ci/run, make fuzz and make torture

set -eu

case ${1-} in
run | check | bench | ci) profile=$1 ;;
*)
	echo 'usage: contrib/setup.sh run|check|bench|ci' >&2
	exit 2 ;;
esac

# profile  package  how to see it elsewhere than on Debian  what it is for
packages() {
	cat <<'END'
run    gcc                 command:cc         the C compiler
run    libc6-dev           -                  headers of the C library
run    make                command:make       runs the build
run    pkg-config          command:pkg-config finds the libraries
run    libssl-dev          -                  OpenSSL: TLS
run    libpcre2-dev        -                  PCRE2: regular expressions
run    libyaml-dev         -                  libyaml: the configuration
run    libnghttp2-dev      -                  nghttp2: HTTP/2
run    zlib1g-dev          -                  zlib: gzip
run    libbrotli-dev       -                  brotli
run    libzstd-dev         -                  zstd
run    libcrypt-dev        -                  libcrypt: hashes of passwords
check  libcmocka-dev       library:cmocka     unit tests
check  python3             command:python3    runs the system tests
check  python3-pytest      module:pytest      runs the system tests
check  python3-yaml        module:yaml        reads configurations in tests
check  python3-websockets  module:websockets  a WebSocket client
check  python3-h2          module:h2          reads and writes HTTP/2 frames in tests
check  python3-grpcio      module:grpc        a gRPC client and server
check  curl                command:curl       an HTTP client
check  openssl             command:openssl    a TLS client, and certificates
check  nghttp2-client      command:h2load     an HTTP/2 client, and load
check  brotli              command:brotli     decodes brotli in tests
check  zstd                command:zstd       decodes zstd in tests
check  wrk                 command:wrk        load
check  nodejs              command:node       the application behind the proxy
check  chromium            command:chromium   a browser
check  strace              command:strace     counts system calls
check  iproute2            command:ss         shows sockets
check  procps              command:ps         shows processes
check  swtpm               command:swtpm      plays a TPM
check  tpm2-openssl        -                  OpenSSL's provider for keys in a TPM
check  tpm2-tools          command:tpm2_createprimary  makes keys in it
check  groff-base          command:groff      renders the manual
check  git                 command:git        the source as it was committed
bench  nginx-light         command:nginx      to compare with
bench  haproxy             command:haproxy    to compare with
bench  h2o                 command:h2o        to compare with
ci     clang               command:clang      the second compiler, the fuzzer
ci     libclang-rt-dev     -                  its sanitizers and fuzzer
ci     clang-format        command:clang-format  the style of the page
ci     testssl.sh          command:testssl    looks for weaknesses of TLS
END
}

# Lines of packages() that the profile asks for.
wanted() {
	packages | while read -r of rest; do
		case $profile:$of in
		*:run | check:check | bench:check | bench:bench | ci:check | ci:ci)
			echo "$rest" ;;
		esac
	done
}

is_debian() {
	command -v apt-get >/dev/null && command -v dpkg-query >/dev/null
}

has_probe() {
	case $1 in
	command:*)	command -v "${1#*:}" >/dev/null ;;
	library:*)	pkg-config --exists "${1#*:}" 2>/dev/null ;;
	module:*)	python3 -c "import ${1#*:}" 2>/dev/null ;;
	-)		: ;;	# ./configure looks for it
	esac
}

missing_packages() {
	if is_debian; then
		# One question for all, since each start of dpkg-query costs.
		# shellcheck disable=SC2046
		installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' \
		    $(wanted | cut -d' ' -f1) 2>/dev/null |
		    sed -n 's/^installed //p')
		wanted | while read -r package _ reason; do
			case "
$installed
" in
			*"
$package
"*)			;;
			*)	echo "$package	$reason" ;;
			esac
		done
	elif [ "$profile" != run ]; then
		# What a build needs is told by ./configure, with the names of
		# the system that it runs on.
		wanted | while read -r package probe reason; do
			has_probe "$probe" || echo "$package	$reason"
		done
	fi
}

missing=$(missing_packages)
[ -n "$missing" ] || exit 0

if ! is_debian; then
	{
		echo "setup: missing, by the names that Debian gives them:"
		echo "$missing" | sed 's/^/  /'
		echo 'setup: installs by itself only where there is apt;' \
		    'please install these and try again'
	} >&2
	exit 1
fi

echo 'setup: to be installed with apt-get:'
echo "$missing" | sed 's/^/  /'

# Never a question: there may be nobody to answer.
log=$(mktemp "${TMPDIR:-/tmp}/weir-setup.XXXXXX")
policy=''
trap 'rm -f "$log"; [ -z "$policy" ] || $root rm -f "$policy"' EXIT
trap 'exit 1' HUP INT TERM

names=$(echo "$missing" | cut -f1)
if [ "$(id -u)" -eq 0 ]; then
	root=''
elif ! command -v sudo >/dev/null; then
	# shellcheck disable=SC2086
	echo "setup: not root, and there is no sudo; as root: apt-get install" \
	    $names >&2
	exit 1
elif [ -t 0 ]; then
	root=sudo
else
	root='sudo -n'
fi

apt() {
	$root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -y \
	    -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
	    -o DPkg::Lock::Timeout=300 "$@" </dev/null >>"$log" 2>&1
}

install() {
	# shellcheck disable=SC2086
	apt install --no-install-recommends "$@" $names
}

# The servers to compare with must not start by themselves and take port 80.
if [ "$profile" = bench ] && [ ! -e /usr/sbin/policy-rc.d ]; then
	policy=/usr/sbin/policy-rc.d
	printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
	$root chmod 755 "$policy"
fi

# The lists are fetched when apt does not know a package, or knows one that
# the mirror has replaced since.
if ! install --simulate || ! install; then
	echo 'setup: fetching the lists of packages'
	: >"$log"
	if ! apt update || ! install; then
		tail -n 30 "$log" >&2
		echo 'setup: apt-get failed, see above' >&2
		exit 1
	fi
fi
echo 'setup: done'
