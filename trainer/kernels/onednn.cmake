# SPDX-License-Identifier: MIT
# oneDNN, for products in bf16: a dependency that may be missing. Sets
# SB_ONEDNN_FOUND and the target sb_onednn. (Its own dnnl-config.cmake is not
# asked: Debian's wants OpenCL's headers, which nothing here needs.)
set(SB_ONEDNN AUTO CACHE STRING "oneDNN, for --precision bf16: AUTO, ON or OFF")
set_property(CACHE SB_ONEDNN PROPERTY STRINGS AUTO ON OFF)

# Sets SB_ONEDNN_LACKS, empty if oneDNN can be built with.
function(sb_find_onednn)
  find_path(SB_ONEDNN_INCLUDE dnnl.h)
  find_library(SB_ONEDNN_LIBRARY dnnl)
  mark_as_advanced(SB_ONEDNN_INCLUDE SB_ONEDNN_LIBRARY)
  set(lacks "")
  if(NOT SB_ONEDNN_INCLUDE OR NOT SB_ONEDNN_LIBRARY)
    set(lacks "it is not installed (Debian: libdnnl-dev)")
  else()
    # OpenMP's library is named as well: oneDNN is told to use one thread.
    set(CMAKE_REQUIRED_INCLUDES ${SB_ONEDNN_INCLUDE})
    set(CMAKE_REQUIRED_LIBRARIES ${SB_ONEDNN_LIBRARY} gomp)
    include(CheckCSourceCompiles)
    check_c_source_compiles("
      #include <dnnl.h>
      #if DNNL_VERSION_MAJOR != 2 || DNNL_VERSION_MINOR < 6
      #error version
      #endif
      #if DNNL_CPU_THREADING_RUNTIME != DNNL_RUNTIME_OMP
      #error threads
      #endif
      extern void omp_set_num_threads(int n);
      int main(void) { omp_set_num_threads(1); return !dnnl_version(); }"
      SB_ONEDNN_USABLE)
    if(NOT SB_ONEDNN_USABLE)
      set(lacks "2.6 or a later 2.x, built for GNU OpenMP, is wanted")
    endif()
  endif()
  set(SB_ONEDNN_LACKS "${lacks}" PARENT_SCOPE)
endfunction()

set(SB_ONEDNN_FOUND OFF)
if(SB_ONEDNN STREQUAL "OFF")
  message(STATUS "oneDNN: not asked for; no bf16")
else()
  sb_find_onednn()
  if(NOT SB_ONEDNN_LACKS)
    set(SB_ONEDNN_FOUND ON)
    message(STATUS "oneDNN: ${SB_ONEDNN_LIBRARY}")
    add_library(sb_onednn INTERFACE)
    target_include_directories(sb_onednn SYSTEM INTERFACE ${SB_ONEDNN_INCLUDE})
    target_link_libraries(sb_onednn INTERFACE ${SB_ONEDNN_LIBRARY} gomp)
  elseif(SB_ONEDNN STREQUAL "ON")
    message(FATAL_ERROR "oneDNN: ${SB_ONEDNN_LACKS}; -DSB_ONEDNN=OFF builds without")
  else()
    message(STATUS "oneDNN: ${SB_ONEDNN_LACKS}; no bf16")
  endif()
endif()
